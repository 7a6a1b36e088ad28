using System.Globalization;
using System.Text;
using StableTune.Diffusion;
using StableTune.Imaging;

namespace StableTune.Training;

/// <summary>The part of a report with the pictures that were drawn: for each prompt a row, small, from the first moment to the
/// last.</summary>
internal sealed class ReportSamples(RunRecord record, string folder, StringBuilder page)
{
    private const int Side = 320, MostMoments = 6, MostPrompts = 12, Quality = 85;

    public void Write()
    {
        var moments = Chosen(record.Samples);
        if (moments.Count == 0) return;
        page.Append("<section><h2>Samples</h2>\n");
        var places = moments.Max(moment => moment.Files.Count);
        for (var place = 0; place < Math.Min(places, MostPrompts); place++) Row(moments, place);
        if (places > MostPrompts)
            page.Append(CultureInfo.InvariantCulture, $"<p>{places - MostPrompts} more pictures of each moment lie in the folder.</p>\n");
        if (moments.Count < record.Samples.Count)
            page.Append(CultureInfo.InvariantCulture, $"<p>{moments.Count} of {record.Samples.Count} moments are shown.</p>\n");
        page.Append("</section>\n");
    }

    /// <summary>The first, the last, and some in between, evenly.</summary>
    private static List<DrawnSamples> Chosen(IReadOnlyList<DrawnSamples> all) => all.Count <= MostMoments ? [.. all]
        : [.. Enumerable.Range(0, MostMoments).Select(i => all[i * (all.Count - 1) / (MostMoments - 1)])];

    private void Row(List<DrawnSamples> moments, int place)
    {
        var pictures = moments.Where(moment => place < moment.Files.Count)
            .Select(moment => (moment.Step, Picture: Load(moment.Files[place]), File: moment.Files[place])).ToList();
        var prompt = pictures.Select(picture => picture.Picture?.Prompt).LastOrDefault(text => text is not null) ?? "no prompt";
        page.Append("<h3>").Append(ReportPage.Escaped(prompt)).Append("</h3>\n<div class=\"pictures\">\n");
        foreach (var (step, picture, file) in pictures)
        {
            page.Append("<figure>");
            var name = ReportPage.Escaped(Path.GetRelativePath(folder, file));
            if (picture is { } shown)
                page.Append(CultureInfo.InvariantCulture,
                    $"<img width=\"{shown.Width}\" height=\"{shown.Height}\" alt=\"{name}\" title=\"{name}\" ")
                    .Append("src=\"data:image/jpeg;base64,").Append(Convert.ToBase64String(shown.Jpeg)).Append("\">");
            else
                page.Append("<p class=\"gone\">").Append(name).Append(" cannot be read any more</p>");
            page.Append("<figcaption>").Append(step == 0 ? "before" : string.Create(CultureInfo.InvariantCulture, $"step {step}"))
                .Append("</figcaption></figure>\n");
        }

        page.Append("</div>\n");
    }

    private static (byte[] Jpeg, int Width, int Height, string? Prompt)? Load(string file)
    {
        try
        {
            var image = ImageFile.Load(file);
            var scale = Math.Min(1, Side / (double)Math.Max(image.Width, image.Height));
            var (width, height) = (Math.Max(1, (int)(image.Width * scale)), Math.Max(1, (int)(image.Height * scale)));
            return (ImageFile.EncodeJpeg(ImageResize.Resize(image, width, height), Quality), width, height, PromptOf(file));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidFileException)
        {
            return null;                                                     // the page says so in its place
        }
    }

    /// <summary>The prompt that a sample picture was drawn by; null where it says none.</summary>
    internal static string? PromptOf(string file)
    {
        if (!PngText.Read(file).TryGetValue(GeneratedImage.ParametersKey, out var parameters)) return null;
        var end = parameters.IndexOf("\nNegative prompt: ", StringComparison.Ordinal);
        if (end < 0) end = parameters.LastIndexOf("\nSteps: ", StringComparison.Ordinal);
        return end < 0 ? parameters : parameters[..end];
    }
}
