namespace StableTune.Imaging;

/// <summary>A picture on a contact sheet.</summary>
/// <param name="Image">The picture; alpha is dropped.</param>
/// <param name="Caption">What stands below it; empty for nothing.</param>
public sealed record ContactSheetItem(PixelImage Image, string Caption = "");

/// <summary>A row of a contact sheet.</summary>
/// <param name="Heading">What stands above it, such as "before"; empty for nothing.</param>
/// <param name="Items">Its pictures, from left to right.</param>
public sealed record ContactSheetRow(string Heading, IReadOnlyList<ContactSheetItem> Items);

/// <summary>How a contact sheet looks.</summary>
public sealed record ContactSheetOptions : OptionsBase
{
    /// <summary>What stands at the top; empty for nothing.</summary>
    public string Title { get; init; } = "";

    /// <summary>
    /// The side of the square into which each picture is fitted, in pixels. Default 256. Larger pictures are reduced; smaller ones are
    /// enlarged by the largest whole factor, with hard pixels, so that what a small model draws is seen as it is.
    /// </summary>
    public int CellPixels { get; init; } = 256;

    /// <summary>The space between pictures, and twice that around all, in pixels. Default 16.</summary>
    public int GapPixels { get; init; } = 16;

    /// <summary>Pixels per dot of the 5x7 font. Default 2.</summary>
    public int TextScale { get; init; } = 2;

    /// <summary>The lines that a caption may take; the rest is left out. Default 3.</summary>
    public int MaxCaptionLines { get; init; } = 3;

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (CellPixels is < 16 or > 4096) yield return Problem(CellPixels, "a cell has 16 to 4096 pixels", "256 suits most");
        if (GapPixels is < 0 or > 1024) yield return Problem(GapPixels, "the gap is 0 to 1024 pixels", "16 suits most");
        if (TextScale is < 1 or > 16) yield return Problem(TextScale, "the scale is 1 to 16", "2 reads well");
        if (MaxCaptionLines is < 0 or > 100) yield return Problem(MaxCaptionLines, "a caption has 0 to 100 lines", "3 suits most");
    }
}

/// <summary>Many pictures on one: a grid with headings and captions, for comparing samples.</summary>
public static class ContactSheet
{
    private static readonly PixelColor s_paper = PixelColor.FromRgb(0xF7F7F5), s_frame = PixelColor.FromRgb(0xD8D8D4),
        s_ink = PixelColor.FromRgb(0x22252A);
    private static readonly PixelColor s_soft = PixelColor.FromRgb(0x5B6068), s_accent = PixelColor.FromRgb(0x2E7D5B);

    /// <summary>Draws a contact sheet.</summary>
    /// <param name="rows">At least one row, with at least one picture in all.</param>
    /// <param name="options">How; null for the defaults.</param>
    /// <returns>An RGB picture, as large as the rows need.</returns>
    /// <exception cref="ArgumentException">There is no picture.</exception>
    /// <exception cref="InvalidOptionsException">An option is out of range.</exception>
    public static PixelImage Draw(IReadOnlyList<ContactSheetRow> rows, ContactSheetOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(rows);
        options ??= new();
        InvalidOptionsException.ThrowIfAny(options.Validate());
        var columns = rows.Count == 0 ? 0 : rows.Max(row => row.Items.Count);
        if (columns == 0) throw new ArgumentException("a contact sheet needs at least one picture", nameof(rows));
        var layout = new Layout(options);
        Row[] prepared = [.. rows.Select(row => Prepare(row, layout))];
        var margin = 2 * options.GapPixels;
        var width = (2 * margin) + (columns * options.CellPixels) + ((columns - 1) * options.GapPixels);
        var title = BitmapFont.Wrap(options.Title, (width - (2 * margin)) / (BitmapFont.CellWidth * layout.TitleScale), 2);
        var height = (2 * margin) + (title.Count * layout.TitleLine) + prepared.Sum(row => row.Height)
            + ((prepared.Length - 1) * options.GapPixels);
        var canvas = new Canvas(width, height, s_paper);
        var y = margin;
        foreach (var line in title)
        {
            canvas.DrawText(margin, y, line, layout.TitleScale, s_ink);
            y += layout.TitleLine;
        }

        foreach (var row in prepared)
        {
            DrawRow(canvas, row, margin, y, layout);
            y += row.Height + options.GapPixels;
        }

        return canvas.Image;
    }

    private static Row Prepare(ContactSheetRow row, Layout layout)
    {
        var options = layout.Options;
        Cell[] cells = [.. row.Items.Select(item => new Cell(Fit(item.Image, options.CellPixels),
            BitmapFont.Wrap(item.Caption, options.CellPixels / (BitmapFont.CellWidth * options.TextScale), options.MaxCaptionLines)))];
        var tallest = cells.Length == 0 ? 0 : cells.Max(cell => cell.Picture.Height);
        var lines = cells.Length == 0 ? 0 : cells.Max(cell => cell.Lines.Count);
        var heading = row.Heading.Length == 0 ? 0 : layout.Line + (options.GapPixels / 2);
        return new(row.Heading, heading, cells, tallest,
            heading + tallest + (lines == 0 ? 0 : (options.GapPixels / 2) + (lines * layout.Line)));
    }

    private static void DrawRow(Canvas canvas, Row row, int x, int y, Layout layout)
    {
        var (options, scale) = (layout.Options, layout.Options.TextScale);
        if (row.Heading.Length > 0)
        {
            canvas.Fill(x, y - scale, 2 * scale, (BitmapFont.CapitalHeight + 2) * scale, s_accent);
            canvas.DrawText(x + (6 * scale), y, row.Heading, scale, s_ink, bold: true);
            y += row.HeadingHeight;
        }

        foreach (var (picture, lines) in row.Cells)
        {
            var (left, top) = (x + ((options.CellPixels - picture.Width) / 2), y + ((row.PictureHeight - picture.Height) / 2));
            canvas.Fill(left - 1, top - 1, picture.Width + 2, picture.Height + 2, s_frame);
            canvas.DrawImage(picture, left, top);
            var below = y + row.PictureHeight + (options.GapPixels / 2);
            for (var i = 0; i < lines.Count; i++)
                canvas.DrawText(x + Math.Max(0, (options.CellPixels - Canvas.TextWidth(lines[i], scale)) / 2), below + (i * layout.Line),
                    lines[i], scale, s_soft);
            x += options.CellPixels + options.GapPixels;
        }
    }

    private static PixelImage Fit(PixelImage image, int cell)
    {
        image = image.WithoutAlpha();
        var longer = Math.Max(image.Width, image.Height);
        if (longer <= cell)
            return ImageResize.Resize(image, image.Width * (cell / longer), image.Height * (cell / longer), Interpolation.Nearest);
        return ImageResize.Resize(image, Math.Max(1, image.Width * cell / longer), Math.Max(1, image.Height * cell / longer));
    }

    private sealed record Cell(PixelImage Picture, IReadOnlyList<string> Lines);

    private sealed record Row(string Heading, int HeadingHeight, IReadOnlyList<Cell> Cells, int PictureHeight, int Height);

    private sealed record Layout(ContactSheetOptions Options)
    {
        internal int Line => BitmapFont.CellHeight * Options.TextScale;

        internal int TitleScale => Options.TextScale + 1;

        internal int TitleLine => (BitmapFont.CellHeight + 4) * TitleScale;
    }
}
