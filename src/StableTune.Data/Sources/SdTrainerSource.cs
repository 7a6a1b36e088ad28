using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using StableTune.Data;
using StableTune.Imaging;

namespace StableTune;

/// <summary>
/// A data set in the layout of sd-trainer: <c>buckets.json</c> lists names by training size, and each name has latents, caption, control
/// picture, mask, a tagger's features, text encoder outputs and original size where they were prepared. Images (in <c>images</c> or beside
/// the list) have their training size already; where latents are there, images need not be.
/// </summary>
/// <param name="folder">The folder with <c>buckets.json</c>.</param>
public sealed partial class SdTrainerSource(string folder) : IDatasetSource
{
    /// <summary>The name of the list of sizes that sd-trainer keeps beside its images.</summary>
    internal const string ListName = "buckets.json";

    private const string Option = "SdTrainerSource.Folder", Remedy = "Write it again with SdTrainerBucketing.";

    /// <summary>The folder, as the user named it.</summary>
    public string Folder { get; } = folder ?? throw new ArgumentNullException(nameof(folder));

    /// <summary>
    /// Whether text encoder outputs in <c>text_emb</c> are trained where they are there, in place of the captions (see
    /// <see cref="DatasetItem.TextOutputsPath"/>). Default true; false encodes the captions.
    /// </summary>
    public bool TakeTextOutputs { get; init; } = true;

    /// <inheritdoc/>
    public string Name => FolderRules.NameOf(Folder);

    /// <inheritdoc/>
    public IEnumerable<DatasetItem> Items()
    {
        var (items, problems) = (new List<DatasetItem>(), new List<OptionProblem>());
        var sizes = OriginalSizes();
        foreach (var (name, size) in Names())
        {
            try
            {
                if (Item(name, size, sizes.TryGetValue(name, out var original) ? original : size) is { } item) items.Add(item);
                else problems.Add(new(Option, Folder, $"\"{name}\" of {ListName} has neither an image nor latents",
                    "add them, or take the name out of the list"));
            }
            catch (InvalidFileException e)
            {
                problems.Add(e.AsProblem("DatasetItem.Caption"));
            }
        }

        InvalidOptionsException.ThrowIfAny(problems);
        return items;
    }

    /// <summary>The names of the list with their training sizes, in its order.</summary>
    /// <exception cref="InvalidFileException">The list is missing, or says what cannot be.</exception>
    internal List<(string Name, PixelSize Size)> Names()
    {
        var path = Path.Combine(Folder, ListName);
        if (!File.Exists(path))
            throw new InvalidFileException(path, "the list of names by size is missing.", "Name the folder that SdTrainerBucketing wrote.");
        using var document = Parse(path);
        var names = new List<(string, PixelSize)>();
        foreach (var bucket in document.RootElement.EnumerateObject())
        {
            if (SizeOf(bucket.Name) is not { } size)
                throw new InvalidFileException(path,
                    $"\"{bucket.Name}\" is no size such as \"(512, 768)\", with sides that are multiples of 8.", Remedy);
            if (bucket.Value.ValueKind != JsonValueKind.Array || bucket.Value.EnumerateArray()
                .Any(name => name.ValueKind != JsonValueKind.String))
                throw new InvalidFileException(path, $"\"{bucket.Name}\" has no list of names.", Remedy);
            names.AddRange(bucket.Value.EnumerateArray().Select(name => (Checked(path, name.GetString()!), size)));
        }

        return names;
    }

    /// <summary>The image of a name; null when it is not there.</summary>
    internal string? ImageOf(string name) => new[] { "images", "" }.Select(part => Path.Combine(Folder, part, name + ".png"))
        .FirstOrDefault(File.Exists);

    private DatasetItem? Item(string name, PixelSize size, PixelSize original)
    {
        var (image, latents) = (ImageOf(name), Prepared("latents", name, ".npy"));
        if (image is null && latents is null) return null;
        var (caption, textOutputs) = (Prepared("captions", name, ".caption"), TakeTextOutputs ? Prepared("text_emb", name, ".npz") : null);
        return new DatasetItem(image ?? Path.Combine(Folder, "images", name + ".png"), size, caption is null ? null
            : Whole(caption, textOutputs is not null))
        {
            Group = Name,
            PreparedFrom = original,
            IsCachedOnly = image is null,
            LatentsPath = latents,
            ConditioningPath = Prepared("control", name, ".png"),
            MaskPath = Prepared("mask", name, ".npz"),
            PromptFreePath = Prepared("pfg", name, ".npz"),
            TextOutputsPath = textOutputs,
        };
    }

    /// <summary>The whole text of a file is the caption; the lines that it may have are no alternatives.</summary>
    private static string Whole(string path, bool mayBeEmpty) =>
        CaptionFinder.Read(path, mayBeEmpty) is var text && text.Trim().Contains('\n', StringComparison.Ordinal)
            ? string.Join(' ', CaptionText.Lines(text)) : text;

    private string? Prepared(string part, string name, string extension) => Path.Combine(Folder, part, name + extension) is var path
        && File.Exists(path) ? path : null;

    private Dictionary<string, PixelSize> OriginalSizes()
    {
        var (path, sizes) = (Path.Combine(Folder, "original_size.json"), new Dictionary<string, PixelSize>(StringComparer.Ordinal));
        if (!File.Exists(path)) return sizes;
        using var document = Parse(path);
        foreach (var entry in document.RootElement.EnumerateObject())
            sizes[entry.Name] = entry.Value.ValueKind == JsonValueKind.Object && Side(entry.Value, "original_width") is { } width
                && Side(entry.Value, "original_height") is { } height
                ? new(width, height)
                : throw new InvalidFileException(path, $"\"{entry.Name}\" has no original_width and original_height in whole pixels.",
                    "Correct it, or delete the file: pictures then count as whole.");
        return sizes;

        static int? Side(JsonElement entry, string name) => entry.TryGetProperty(name, out var value)
            && value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var side) && side > 0 ? side : null;
    }

    private static JsonDocument Parse(string path)
    {
        var document = JsonFile.Parse(path, JsonFile.ReadText(path), Remedy);
        if (document.RootElement.ValueKind == JsonValueKind.Object) return document;
        document.Dispose();
        throw new InvalidFileException(path, "it is no JSON object.", Remedy);
    }

    /// <summary>A name may lie in folders inside, and nowhere else.</summary>
    private static string Checked(string path, string name) =>
        name.Trim().Length > 0 && !Path.IsPathRooted(name) && !name.Contains('\0', StringComparison.Ordinal) && !name.Split('/', '\\')
            .Contains("..") ? name
            : throw new InvalidFileException(path, $"the name \"{name}\" leads out of the folder, or is empty.", Remedy);

    private static PixelSize? SizeOf(string text) => Pair().Match(text) is { Success: true } match
        && int.TryParse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture, out var width)
            && int.TryParse(match.Groups[2].ValueSpan, CultureInfo.InvariantCulture, out var height)
        && width >= 8 && height >= 8 && width % 8 == 0 && height % 8 == 0 ? new(width, height) : null;

    [GeneratedRegex("^\\(([0-9]+), *([0-9]+)\\)$", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex Pair();
}
