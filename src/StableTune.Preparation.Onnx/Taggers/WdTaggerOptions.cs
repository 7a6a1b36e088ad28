using System.Text.Json;
using StableTune.Imaging;

namespace StableTune.Preparation;

/// <summary>A WD14 tagger (v2 or v3) in an ONNX file, with its <c>selected_tags.csv</c> beside it, or a newer one with
/// <c>tag_mapping.json</c>.</summary>
/// <remarks>
/// Images are put on a white square, centred, and resized (area when shrinking, else Lanczos). Models with colours last take values from 0
/// to 255; those with colours second take what a timm configuration beside them (<c>config.json</c>) says, or values in [-1, 1]. Blue comes
/// first in both, but red with <c>tag_mapping.json</c>.
/// </remarks>
public sealed record WdTaggerOptions : OnnxTaggerOptions
{
    /// <summary>The model that is taken unless another is named.</summary>
    public const string DefaultModel = "SmilingWolf/wd-v1-4-convnext-tagger-v2";

    /// <summary>The model whose features sd-trainer's PFG was made for.</summary>
    public const string FeatureModel = "SmilingWolf/wd-v1-4-vit-tagger-v2";

    private const string Table = "selected_tags.csv";

    /// <summary>Options of <see cref="DefaultModel"/>.</summary>
    public WdTaggerOptions() => Model = DefaultModel;

    internal override int UsualSize => 448;

    // Newer taggers, which have their tags in JSON, were trained with red first.
    internal override bool IsBgr(OnnxModelFiles files) => !IsMapping(List(files));

    internal override TagVocabulary Vocabulary(OnnxModelFiles files)
    {
        var list = List(files) ?? Beside(files, Table);
        return IsMapping(list) ? TagVocabulary.LoadMapping(list) : TagVocabulary.Load(list);
    }

    internal override PixelImage Fitted(PixelImage image, int width, int height)
    {
        var side = Math.Max(image.Width, image.Height);
        if (image.Width != image.Height)
        {
            var square = new PixelImage(side, side);
            square.Pixels.AsSpan().Fill(255);
            var (left, top) = ((side - image.Width) / 2, (side - image.Height) / 2);
            for (var y = 0; y < image.Height; y++) image.Row(y).CopyTo(square.Row(top + y)[(3 * left)..]);
            image = square;
        }

        return ImageResize.Resize(image, width, height);
    }

    internal override PixelScaling Scaling(OnnxModelFiles files, PictureInput input) =>
        input.ChannelsLast ? PixelScaling.Bytes
            : Configured(files.Companion("config.json", optional: true), IsBgr(files)) ?? PixelScaling.Signed;

    private string? List(OnnxModelFiles files) => Tags ?? files.Companion(Table) ?? files.Companion("tag_mapping.json");

    private static bool IsMapping(string? list) => ".json".Equals(Path.GetExtension(list), StringComparison.OrdinalIgnoreCase);

    /// <summary>What a configuration of timm says; null where there is none, or it is another program's.</summary>
    private static PixelScaling? Configured(string? path, bool bgr)
    {
        if (path is null) return null;
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(path));
            if (document.RootElement.ValueKind != JsonValueKind.Object
                || !document.RootElement.TryGetProperty("pretrained_cfg", out var configuration)) return null;
            var (mean, deviation) = (Three(configuration, "mean"), Three(configuration, "std"));
            // The numbers stand in the order of the network's channels.
            return bgr ? PixelScaling.Of((mean[2], mean[1], mean[0]), (deviation[2], deviation[1], deviation[0]))
                : PixelScaling.Of((mean[0], mean[1], mean[2]), (deviation[0], deviation[1], deviation[2]));
        }
        catch (Exception e) when (e is JsonException or FormatException or InvalidOperationException or KeyNotFoundException)
        {
            throw new InvalidFileException(path, $"it does not say how pictures are scaled: {e.Message.TrimEnd('.')}.",
                "Take it away to scale to [-1, 1], or put the model's own in its place.", e);
        }
    }

    private static float[] Three(JsonElement configuration, string name)
    {
        float[] numbers = [.. configuration.GetProperty(name).EnumerateArray().Select(number => number.GetSingle())];
        return numbers.Length == 3 && numbers.All(float.IsFinite) && (name == "mean" || numbers.All(number => number > 0)) ? numbers
            : throw new FormatException($"pretrained_cfg.{name} must be three numbers, above 0 for std");
    }
}
