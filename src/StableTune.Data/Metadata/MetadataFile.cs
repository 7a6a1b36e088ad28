using System.Text.Json;
using System.Text.Json.Nodes;
using StableTune.Imaging;

namespace StableTune.Data;

/// <summary>
/// A metadata file of fine-tuning: captions, tags and sizes of images by key, as sd-scripts' tools write it (JSON), or one object with an
/// <c>image_path</c> a line (<c>.jsonl</c>). Lists with <c>file_name</c> and <c>text</c>, as other tools lay them beside images
/// (<c>metadata.jsonl</c>, <c>metadata.csv</c>), are read too. A key is a path, or a file's name without extension.
/// </summary>
public static class MetadataFile
{
    internal const string TheirName = "file_name", TheirText = "text";

    internal static readonly string[] ImageNames = ["image_path", TheirName];

    internal const string Remedy = "Correct the file, or write it again with the tool that made it.";

    /// <summary>Reads a file.</summary>
    /// <param name="path">
    /// A file, UTF-8: <c>.json</c> with an object of images by key or a list of objects that name their images; <c>.jsonl</c> with such an
    /// object a line; <c>.csv</c> or <c>.tsv</c> with a line of names (<c>file_name</c>, <c>text</c>) at the top.
    /// </param>
    /// <returns>The images by key, in the order of the file.</returns>
    /// <exception cref="InvalidFileException">It is missing, of another form, or says something that cannot be.</exception>
    public static OrderedDictionary<string, ImageMetadata> Load(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (!File.Exists(path))
            throw new InvalidFileException(path, Directory.Exists(path) ? "this is a folder, not a metadata file."
                : "the metadata file is missing.",
                "Name the file that lists the images.");
        return IsLines(path) ? Lines(path) : IsTable(path) ? MetadataTable.Read(path) : Whole(path);
    }

    /// <summary>
    /// Writes a file, complete or not at all, UTF-8: JSON indented by two, or one object a line where the extension is <c>.jsonl</c>.
    /// </summary>
    /// <param name="path">The file; its folder is created when missing.</param>
    /// <param name="images">The images by key, written in this order.</param>
    /// <exception cref="ArgumentException">The extension is <c>.csv</c> or <c>.tsv</c>, which are only read.</exception>
    /// <exception cref="IOException">It cannot be written.</exception>
    public static void Save(string path, IReadOnlyDictionary<string, ImageMetadata> images)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(images);
        if (IsTable(path)) throw new ArgumentException($"{path}: tables are only read. Write a .json or .jsonl file.", nameof(path));
        AtomicFile.Write(path, stream =>
        {
            if (IsLines(path)) WriteLines(stream, images);
            else WriteWhole(stream, images);
        });
    }

    /// <summary>What is wrong with an option that names a metadata file to write.</summary>
    /// <param name="option">The option as code names it.</param>
    /// <param name="output">Its value.</param>
    /// <param name="input">The file whose content goes into it; null where there is none.</param>
    /// <param name="overwrite">Whether a file that is there may be written over.</param>
    internal static IEnumerable<OptionProblem> OfOutput(string option, string output, string? input, bool overwrite)
    {
        if (!AtomicFile.CanWrite(output, out var reason)) yield return new(option, output, reason.TrimEnd('.'), "name another file");
        else if (IsTable(output)) yield return new(option, output, "tables are only read", "name a .json or .jsonl file");
        else if (!overwrite && File.Exists(output) && !(input is not null && Path.GetFullPath(input) == Path.GetFullPath(output)))
            yield return new(option, output, "the file is there already, and would be written over",
                "set Overwrite, name another file, or name it as the input to add to it");
    }

    private static bool IsTable(string path) =>
        MetadataTable.Extensions.Contains(Path.GetExtension(path), StringComparer.OrdinalIgnoreCase);

    private static bool IsLines(string path) => path.EndsWith(".jsonl", StringComparison.OrdinalIgnoreCase);

    private static void WriteWhole(Stream stream, IReadOnlyDictionary<string, ImageMetadata> images)
    {
        using var writer = new Utf8JsonWriter(stream, JsonText.IndentedWriting);
        writer.WriteStartObject();
        foreach (var (key, image) in images)
        {
            writer.WriteStartObject(key);
            Write(writer, image);
        }

        writer.WriteEndObject();
    }

    private static void WriteLines(Stream stream, IReadOnlyDictionary<string, ImageMetadata> images)
    {
        foreach (var (key, image) in images)
        {
            using (var writer = new Utf8JsonWriter(stream, JsonText.IndentedWriting with { Indented = false }))
            {
                writer.WriteStartObject();
                writer.WriteString("image_path", key);
                Write(writer, image);
            }

            stream.WriteByte((byte)'\n');
        }
    }

    private static OrderedDictionary<string, ImageMetadata> Whole(string path)
    {
        using var document = JsonFile.Parse(path, JsonFile.ReadText(path), Remedy);
        var images = new OrderedDictionary<string, ImageMetadata>(StringComparer.Ordinal);
        var faults = new List<InvalidFileException>();
        if (document.RootElement.ValueKind == JsonValueKind.Array)
        {
            foreach (var (number, entry) in document.RootElement.EnumerateArray().Index())
                Try(faults, () => Add(path, $"entry {number + 1}", entry, images));
            Throw(path, faults);
            return images;
        }

        if (document.RootElement.ValueKind != JsonValueKind.Object)
            throw new InvalidFileException(path, "the metadata is no JSON object of images by key, and no list of objects.", Remedy);
        foreach (var entry in document.RootElement.EnumerateObject())
            Try(faults, () => images[entry.Name] = Read(path, $"\"{entry.Name}\"", entry.Value));
        Throw(path, faults);
        return images;
    }

    private static OrderedDictionary<string, ImageMetadata> Lines(string path)
    {
        var images = new OrderedDictionary<string, ImageMetadata>(StringComparer.Ordinal);
        var (number, faults) = (0, new List<InvalidFileException>());
        foreach (var line in JsonFile.ReadText(path).Split('\n'))
        {
            number++;
            if (string.IsNullOrWhiteSpace(line)) continue;
            Try(faults, () =>
            {
                using var document = JsonFile.Parse(path, line, Remedy, number);
                Add(path, $"line {number}", document.RootElement, images);
            });
        }

        Throw(path, faults);
        return images;
    }

    /// <summary>
    /// Adds an image that an object names by itself: our <c>image_path</c>, or the <c>file_name</c> of other tools, whose caption is a
    /// <c>text</c>.
    /// </summary>
    private static void Add(string path, string place, JsonElement entry, OrderedDictionary<string, ImageMetadata> images)
    {
        var name = ImageNames.FirstOrDefault(name => entry.ValueKind == JsonValueKind.Object && entry.TryGetProperty(name, out var key)
            && key.ValueKind == JsonValueKind.String);
        if (name is null) throw new InvalidFileException(path, $"{place} is no object with an \"image_path\" or a \"file_name\".", Remedy);
        var (key, image) = (entry.GetProperty(name).GetString()!, Read(path, place, entry, name));
        if (name == TheirName) image = WithText(image);
        if (!images.TryAdd(key, image)) throw new InvalidFileException(path, $"{place}: the image \"{key}\" is there twice.", Remedy);
    }

    /// <summary>What other tools call the text of an image is its caption, where it has none under that name.</summary>
    internal static ImageMetadata WithText(ImageMetadata image)
    {
        if (image.Caption is not null || image.Others.GetValueOrDefault(TheirText) is not JsonValue value
            || !value.TryGetValue(out string? text)) return image;
        return image with
        {
            Caption = text,
            Others = new OrderedDictionary<string, JsonNode?>(image.Others.Where(other => other.Key != TheirText), StringComparer.Ordinal),
        };
    }

    private static void Try(List<InvalidFileException> faults, Action read)
    {
        try
        {
            read();
        }
        catch (InvalidFileException e)
        {
            faults.Add(e);
        }
    }

    /// <summary>Tells all faults at once, as far as anybody reads them.</summary>
    internal static void Throw(string path, List<InvalidFileException> faults)
    {
        const int shown = 20;
        if (faults.Count == 1) throw faults[0];
        if (faults.Count < 2) return;
        var told = string.Join(" ", faults.Take(shown).Select(fault => fault.Fault)) + (faults.Count > shown ? " ..." : "");
        throw new InvalidFileException(path, $"{faults.Count} faults: {told}", Remedy, faults[0]);
    }

    private static ImageMetadata Read(string path, string place, JsonElement entry, string? besides = null)
    {
        if (entry.ValueKind != JsonValueKind.Object)
            throw new InvalidFileException(path, $"{place} is no object with a caption and tags.", Remedy);
        var others = new OrderedDictionary<string, JsonNode?>(StringComparer.Ordinal);
        var image = new ImageMetadata { Others = others };
        foreach (var property in entry.EnumerateObject())
        {
            image = property.Name switch
            {
                "caption" => image with { Caption = Words(property) },
                "tags" => image with { Tags = Words(property) },
                "train_resolution" => image with { TrainResolution = Size(property) },
                "image_size" => image with { ImageSize = Size(property) },
                _ => image,
            };
            if (property.Name is not ("caption" or "tags" or "train_resolution" or "image_size") && property.Name != besides)
                others[property.Name] = JsonNode.Parse(property.Value.GetRawText());
        }

        return image;

        string? Words(JsonProperty property) => property.Value.ValueKind switch
        {
            JsonValueKind.String => property.Value.GetString(),
            JsonValueKind.Null => null,
            _ => throw Wrong(property, "a text"),
        };

        PixelSize? Size(JsonProperty property)
        {
            if (property.Value.ValueKind == JsonValueKind.Null) return null;
            if (property.Value.ValueKind == JsonValueKind.Array && property.Value.GetArrayLength() == 2
                && property.Value.EnumerateArray().All(side => side.ValueKind == JsonValueKind.Number) && property.Value[0]
                    .TryGetInt32(out var width) && property.Value[1].TryGetInt32(out var height) && width > 0 && height > 0)
                return new(width, height);
            throw Wrong(property, "[width, height] in whole pixels");
        }

        InvalidFileException Wrong(JsonProperty property, string wanted) =>
            new(path, $"{place}: \"{property.Name}\" is {ShortText.Of(property.Value.GetRawText(), 40)}, not {wanted}.", Remedy);
    }

    /// <summary>Writes what is known of an image into an object that was begun, and ends it.</summary>
    private static void Write(Utf8JsonWriter writer, ImageMetadata image)
    {
        if (image.Caption is not null) writer.WriteString("caption", image.Caption);
        if (image.Tags is not null) writer.WriteString("tags", image.Tags);
        WriteSize("image_size", image.ImageSize);
        WriteSize("train_resolution", image.TrainResolution);
        foreach (var (name, value) in image.Others)
        {
            writer.WritePropertyName(name);
            if (value is null) writer.WriteNullValue();
            else value.WriteTo(writer);
        }

        writer.WriteEndObject();

        void WriteSize(string name, PixelSize? size)
        {
            if (size is not { } known) return;
            writer.WriteStartArray(name);
            writer.WriteNumberValue(known.Width);
            writer.WriteNumberValue(known.Height);
            writer.WriteEndArray();
        }
    }
}
