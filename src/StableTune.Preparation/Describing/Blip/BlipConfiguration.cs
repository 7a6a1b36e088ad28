using System.Text.Json;
using StableTune.Formats;
using StableTune.Models;

namespace StableTune.Preparation;

/// <summary>What is known of a BLIP model beside its weights.</summary>
/// <param name="Architecture">Its architecture.</param>
/// <param name="Start">The token that begins captions; null where the vocabulary tells.</param>
/// <param name="End">The token that ends them; null where the vocabulary tells.</param>
internal sealed record BlipConfiguration(BlipOptions Architecture, int? Start = null, int? End = null)
{
    private const string Remedy = "Take the file from the model's repository again.";
    private const long LargestFile = 16 << 20;

    /// <summary>Mean and spread of the colours that the model was trained with: CLIP's.</summary>
    internal float[] Mean { get; init; } = [0.48145466f, 0.4578275f, 0.40821073f];

    /// <summary>As <see cref="Mean"/>.</summary>
    internal float[] Spread { get; init; } = [0.26862954f, 0.26130258f, 0.27577711f];

    /// <summary>Reads <c>config.json</c> and <c>preprocessor_config.json</c> of the hub's folder. What they do not say is as in
    /// transformers' class, but for the epsilon of the vision part, which is as it was trained: 1e-6.</summary>
    internal static BlipConfiguration OfFolder(string folder)
    {
        var path = Path.Combine(folder, "config.json");
        using var document = Parse(path);
        var vision = new Section(path, document.RootElement, "vision_config");
        var text = new Section(path, document.RootElement, "text_config");
        var (see, write) = (new VisionTransformerOptions(), new BertTextOptions());
        var architecture = new BlipOptions
        {
            Vision = see with
            {
                ImageSize = vision.Whole("image_size", see.ImageSize), PatchSize = vision.Whole("patch_size", see.PatchSize),
                HiddenSize = vision.Whole("hidden_size", see.HiddenSize),
                IntermediateSize = vision.Whole("intermediate_size", see.IntermediateSize),
                Layers = vision.Whole("num_hidden_layers", see.Layers), Heads = vision.Whole("num_attention_heads", see.Heads),
                Activation = vision.Word("hidden_act", see.Activation), LayerNormEps = vision.Small("layer_norm_eps", see.LayerNormEps),
            },
            Text = write with
            {
                VocabularySize = text.Whole("vocab_size", 30_524), HiddenSize = text.Whole("hidden_size", write.HiddenSize),
                IntermediateSize = text.Whole("intermediate_size", write.IntermediateSize),
                Layers = text.Whole("num_hidden_layers", write.Layers), Heads = text.Whole("num_attention_heads", 8),
                PositionRows = text.Whole("max_position_embeddings", write.PositionRows), PadTokenId = text.Whole("pad_token_id", 0),
                Activation = text.Word("hidden_act", write.Activation), LayerNormEps = text.Small("layer_norm_eps", write.LayerNormEps),
            },
        };
        var problems = architecture.Validate().ToList();
        if (problems.Count > 0) throw new InvalidFileException(path, $"it describes no model: {problems[0]}", Remedy);
        var configuration = new BlipConfiguration(architecture, text.Whole("bos_token_id", 30_522), text.Whole("sep_token_id", 102));
        return configuration.With(Path.Combine(folder, "preprocessor_config.json"));
    }

    /// <summary>The architecture of a single file, by its shapes; the heads are 64 wide, as in all published models.</summary>
    internal static BlipConfiguration OfFile(ITensorFile file)
    {
        var prefix = file.TryGet(BlipNames.OriginalPositions, out _) ? BlipNames.OriginalVision : BlipNames.Vision;
        var isOriginal = prefix == BlipNames.OriginalVision;
        var positions = Shape(file, isOriginal ? BlipNames.OriginalPositions : BlipNames.Positions, 3);
        var patches = Shape(file, prefix + (isOriginal ? "patch_embed.proj.weight" : "embeddings.patch_embedding.weight"), 4);
        var blocks = prefix + (isOriginal ? "blocks." : "encoder.layers.");
        const string words = BlipNames.Words, layers = BlipNames.Text + "bert.encoder.layer.";
        var (table, places) = (Shape(file, words, 2), Shape(file, BlipNames.Text + "bert.embeddings.position_embeddings.weight", 2));
        var side = (int)Math.Round(Math.Sqrt(positions[1] - 1)) * patches[2];
        var architecture = new BlipOptions
        {
            Vision = new()
            {
                ImageSize = side, PatchSize = patches[2], HiddenSize = positions[2], Heads = Heads(file, positions[2]),
                IntermediateSize = Shape(file, blocks + "0.mlp.fc1.weight", 2)[0], Layers = Count(file, blocks),
            },
            Text = new()
            {
                VocabularySize = table[0], HiddenSize = table[1], Heads = Heads(file, table[1]), PositionRows = places[0],
                IntermediateSize = Shape(file, layers + "0.intermediate.dense.weight", 2)[0], Layers = Count(file, layers),
            },
        };
        var problems = architecture.Validate().ToList();
        return problems.Count == 0 ? new(architecture)
            : throw new InvalidFileException(file.Path, $"its shapes are of no model: {problems[0]}", Remedy);
    }

    private BlipConfiguration With(string path)
    {
        if (!File.Exists(path)) return this;
        using var document = Parse(path);
        var section = new Section(path, document.RootElement, null);
        if (section.Whole("resample", 3) is not 3 and var filter)
            throw new InvalidFileException(
                path, $"\"resample\" is {filter}; images are resized as Pillow's bicubic filter (3) does.",
                "Take the files of a BLIP model.");
        return this with { Mean = section.Colors("image_mean", Mean), Spread = section.Colors("image_std", Spread) };
    }

    private static int Heads(ITensorFile file, int width) => width % 64 == 0 ? width / 64 : throw new InvalidFileException(
        file.Path, $"a part of it is {width} wide, and how many heads it has cannot be seen.",
        "Set BlipCaptionerOptions.Architecture to the model's architecture.");

    private static int Count(ITensorFile file, string prefix) => file.Tensors
        .Where(tensor => tensor.Name.StartsWith(prefix, StringComparison.Ordinal))
        .Select(tensor => tensor.Name[prefix.Length..].Split('.')[0]).Distinct(StringComparer.Ordinal).Count();

    private static int[] Shape(ITensorFile file, string name, int dimensions)
    {
        if (!file.TryGet(name, out var info))
            throw new InvalidFileException(file.Path, $"this is no BLIP captioning model: it has no tensor '{name}'.",
                "Take model_large_caption.pth or model_base_caption_capfilt_large.pth, or a model of the hub such as "
                    + "Salesforce/blip-image-captioning-large.");
        if (info.Shape.Count != dimensions || info.Shape.Any(size => size is < 1 or > int.MaxValue))
            throw new InvalidFileException(
                file.Path, $"the tensor '{name}' has the shape [{string.Join(", ", info.Shape)}], of {dimensions} dimensions are needed.",
                Remedy);
        return [.. info.Shape.Select(size => (int)size)];
    }

    private static JsonDocument Parse(string path)
    {
        if (new FileInfo(path).Length is > LargestFile and var length)
            throw new InvalidFileException(path, $"the file has {length} bytes, far too many for a configuration.", Remedy);
        var document = JsonFile.Parse(path, File.ReadAllBytes(path), Remedy, allowTwice: true);
        if (document.RootElement.ValueKind == JsonValueKind.Object) return document;
        document.Dispose();
        throw new InvalidFileException(path, "not a JSON object.", Remedy);
    }

    /// <summary>The values of one object of a file; what is missing or null has a default.</summary>
    private readonly record struct Section(string Path, JsonElement Root, string? Name)
    {
        internal int Whole(string key, int initial)
        {
            if (Get(key) is not { } value) return initial;
            return value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) && number >= 0 ? number
                : throw Wrong(key, value, "a whole number");
        }

        internal double Small(string key, double initial)
        {
            if (Get(key) is not { } value) return initial;
            return value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var number) && number is > 0 and < 1 ? number
                : throw Wrong(key, value, "a small number above 0");
        }

        internal string Word(string key, string initial)
        {
            if (Get(key) is not { } value) return initial;
            return value.ValueKind == JsonValueKind.String ? value.GetString()! : throw Wrong(key, value, "a word");
        }

        internal float[] Colors(string key, float[] initial)
        {
            if (Get(key) is not { } value) return initial;
            return value.ValueKind == JsonValueKind.Array && value.GetArrayLength() == 3
                && value.EnumerateArray().All(number => number.ValueKind == JsonValueKind.Number && number.GetDouble() > 0)
                ? [.. value.EnumerateArray().Select(number => number.GetSingle())] : throw Wrong(key, value, "three numbers above 0");
        }

        private JsonElement? Get(string key)
        {
            var root = Root;
            if (Name is not null && (!Root.TryGetProperty(Name, out root) || root.ValueKind == JsonValueKind.Null)) return null;
            if (root.ValueKind != JsonValueKind.Object) throw Wrong(Name!, root, "an object");
            return root.TryGetProperty(key, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;
        }

        private InvalidFileException Wrong(string key, JsonElement value, string expected) =>
            new(Path, $"\"{key}\" is {ShortText.Of(value.GetRawText(), 60)} instead of {expected}.", Remedy);
    }
}
