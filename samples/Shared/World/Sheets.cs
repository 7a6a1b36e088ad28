using System.Globalization;
using StableTune.Imaging;

namespace StableTune.Samples.World;

/// <summary>Pictures with their prompts, many on a sheet.</summary>
internal static class Sheets
{
    private const int Columns = 8;

    private static readonly ContactSheetOptions s_look = new() { CellPixels = 128, GapPixels = 12, TextScale = 1, MaxCaptionLines = 3 };

    /// <summary>Answers in rows; what is not what the prompt says is marked.</summary>
    internal static PixelImage Draw(IReadOnlyList<Answer> answers) =>
        ContactSheet.Draw([.. answers.Chunk(Columns).Select(row => Row("", row))], s_look);

    /// <summary>What was drawn for some prompts before a training, and below it for the same prompts and seeds after it.</summary>
    internal static PixelImage BeforeAfter(
        string title, IReadOnlyList<(string Asked, Measurement Before, Measurement After)> kinds) => ContactSheet.Draw(
        [.. kinds.SelectMany(kind => new[]
        {
            Row($"{kind.Asked}, before: {Percent(kind.Before)} right", [.. kind.Before.Answers.Take(Columns)]),
            Row($"{kind.Asked}, after: {Percent(kind.After)} right", [.. kind.After.Answers.Take(Columns)]),
        })], s_look with { Title = title });

    private static ContactSheetRow Row(string heading, IReadOnlyList<Answer> answers) => new(heading, [.. answers.Select(answer =>
        new ContactSheetItem(Enlarged(answer.Image), (answer.IsRight ? "" : "(no) ") + answer.Prompt))]);

    private static string Percent(Measurement measurement) => measurement.Right.ToString("P0", CultureInfo.InvariantCulture);

    private static PixelImage Enlarged(PixelImage image) =>
        ImageResize.Resize(image, s_look.CellPixels, s_look.CellPixels, Interpolation.Bicubic);
}
