using System.Text.Json;
using System.Text.Json.Nodes;
using StableTune.Imaging;

namespace StableTune.Data;

/// <summary>
/// A metadata file of fine-tuning: captions, tags and sizes of images by key, as sd-scripts' tools write it (JSON), or one object with
/// an <c>image_path</c> a line (<c>.jsonl</c>). A key is a path, or a file's name without extension.
/// </summary>
public static class MetadataFile
{
    private const string Remedy = "Correct the file, or write it again with the tool that made it.";

    /// <summary>Reads a file.</summary>
    /// <param name="path">A <c>.json</c> or <c>.jsonl</c> file, UTF-8.</param>
    /// <returns>The images by key, in the order of the file.</returns>
    /// <exception cref="InvalidFileException">It is missing, not JSON, or says something that cannot be.</exception>
    public static OrderedDictionary<string, ImageMetadata> Load(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (!File.Exists(path))
            throw new InvalidFileException(path, Directory.Exists(path) ? "this is a folder, not a metadata file." : "the metadata file is missing.", "Name the .json file that lists the images.");
        return IsLines(path) ? Lines(path) : Whole(path);
    }

    /// <summary>Writes a file, complete or not at all, UTF-8: JSON indented by two, or one object a line where the extension is <c>.jsonl</c>.</summary>
    /// <param name="path">The file; its folder is created when missing.</param>
    /// <param name="images">The images by key, written in this order.</param>
    /// <exception cref="IOException">It cannot be written.</exception>
    public static void Save(string path, IReadOnlyDictionary<string, ImageMetadata> images)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(images);
        AtomicFile.Write(path, stream =>
        {
            if (IsLines(path)) WriteLines(stream, images);
            else WriteWhole(stream, images);
        });
    }

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
        if (document.RootElement.ValueKind != JsonValueKind.Object)
            throw new InvalidFileException(path, "the metadata is no JSON object of images by key.", Remedy);
        var images = new OrderedDictionary<string, ImageMetadata>(StringComparer.Ordinal);
        var faults = new List<InvalidFileException>();
        foreach (var entry in document.RootElement.EnumerateObject()) Try(faults, () => images[entry.Name] = Read(path, $"\"{entry.Name}\"", entry.Value));
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
            if (!string.IsNullOrWhiteSpace(line)) Try(faults, () => Add(line));
        }

        Throw(path, faults);
        return images;

        void Add(string line)
        {
            using var document = JsonFile.Parse(path, line, Remedy, number);
            var place = $"line {number}";
            if (document.RootElement.ValueKind != JsonValueKind.Object || !document.RootElement.TryGetProperty("image_path", out var key) || key.ValueKind != JsonValueKind.String)
                throw new InvalidFileException(path, $"{place} is no object with an \"image_path\".", Remedy);
            if (!images.TryAdd(key.GetString()!, Read(path, place, document.RootElement, "image_path")))
                throw new InvalidFileException(path, $"{place}: the image \"{key.GetString()}\" is there twice.", Remedy);
        }
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
    private static void Throw(string path, List<InvalidFileException> faults)
    {
        const int shown = 20;
        if (faults.Count == 1) throw faults[0];
        if (faults.Count > 1)
            throw new InvalidFileException(path, $"{faults.Count} faults: {string.Join(" ", faults.Take(shown).Select(fault => fault.Fault))}{(faults.Count > shown ? " ..." : "")}", Remedy, faults[0]);
    }

    private static ImageMetadata Read(string path, string place, JsonElement entry, string? besides = null)
    {
        if (entry.ValueKind != JsonValueKind.Object) throw new InvalidFileException(path, $"{place} is no object with a caption and tags.", Remedy);
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
                && property.Value.EnumerateArray().All(side => side.ValueKind == JsonValueKind.Number) && property.Value[0].TryGetInt32(out var width) && property.Value[1].TryGetInt32(out var height) && width > 0 && height > 0)
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
