using System.Globalization;
using System.Text.RegularExpressions;
using StableTune.Adapters;
using StableTune.Formats;
using StableTune.Models;
using StableTune.Tensors;

namespace StableTune.Checkpoints;

/// <summary>
/// Reads files of textual inversion, whoever wrote them: sd-scripts' (<c>emb_params</c>; for SDXL <c>clip_l</c> and <c>clip_g</c>),
/// AUTOMATIC1111's (<c>string_to_param</c>), diffusers' (the word is the name), those with vectors for each attention layer (IN01 ...
/// OUT11), and embeddings that a LoRA brings along (<c>bundle_emb.*</c>).
/// </summary>
public static partial class EmbeddingFile
{
    internal const string Single = "emb_params", First = "clip_l", Second = "clip_g";

    /// <summary>AUTOMATIC1111's dictionary, and the name of the only entry that it has.</summary>
    internal const string WebUiParameters = "string_to_param", WebUiEntry = "*";

    private const string Remedy = "Use a file of textual inversion: emb_params, clip_l with clip_g, string_to_param, or word names.";

    /// <summary>Reads the only embedding of a file.</summary>
    /// <param name="path">A safetensors or torch file; its content tells the form.</param>
    /// <returns>The embedding in float32 on the CPU, the caller's to dispose. <see cref="WordEmbedding.Word"/> is the file's name where the
    /// file says no other.</returns>
    /// <exception cref="InvalidFileException">It is no such file, holds several embeddings, or broken numbers.</exception>
    public static WordEmbedding Read(string path)
    {
        var all = ReadAll(path);
        if (all is [var only]) return only;
        foreach (var embedding in all) embedding.Dispose();
        throw new InvalidFileException(
            path, $"it holds {all.Count} embeddings: {string.Join(", ", all.Select(embedding => embedding.Word))}.",
            "Use EmbeddingFile.ReadAll, which reads them all.");
    }

    /// <summary>Reads all embeddings of a file: those of a LoRA may be several, and diffusers' files may hold several words.</summary>
    /// <param name="path">As for <see cref="Read"/>.</param>
    /// <returns>At least one; the caller's to dispose.</returns>
    /// <exception cref="InvalidFileException">It is no such file, or holds broken numbers.</exception>
    public static IReadOnlyList<WordEmbedding> ReadAll(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        using var file = WeightFile.Open(path);
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        var stem = Path.GetFileNameWithoutExtension(path);
        if (Bundled(path, file) is { Count: > 0 } bundled) return bundled;
        if (WebUi(path, file.Source, stem) is { } webUi) return [webUi];
        string[] names = [.. file.Names];
        Tensor Load(string name) => Rows(path, file, name);
        if (names.Contains(Single)) return [new WordEmbedding(Load(Single)) { Word = stem }];
        if (names.Contains(First) || names.Contains(Second)) return [Sdxl(path, names, Load, stem)];
        if (names.Length > 1 && names.All(name => LayerName().IsMatch(name))) return [Layers(path, names, Load, stem)];
        // In diffusers' form the words are the names, and nothing else is there.
        if (names.Length is 0 or > 64 || file.Tensors.Any(tensor => tensor.Shape.Count is not (1 or 2) || tensor.Name.Contains('.')))
            throw new InvalidFileException(
                path, $"it holds no embedding: emb_params is missing, and it has {names.Length} tensors"
                    + $"{(names.Length > 0 ? $" such as {names[0]}" : "")}.", Remedy);
        return [.. names.Select(name => new WordEmbedding(Load(name)) { Word = name })];
    }

    /// <summary>Both encoders' vectors of SDXL: one alone is refused.</summary>
    private static WordEmbedding Sdxl(string path, string[] names, Func<string, Tensor> load, string word)
    {
        if (new[] { First, Second }.FirstOrDefault(name => !names.Contains(name)) is { } missing)
            throw new InvalidFileException(path, $"\"{missing}\" is missing: an embedding for SDXL holds {First} and {Second}.",
                "Get the whole file, or use an embedding for this kind of model: others have emb_params.");
        var (first, second) = (load(First), load(Second));
        if (first.size(0) != second.size(0))
            throw new InvalidFileException(
                path, $"{First} has {first.size(0)} vectors and {Second} {second.size(0)}: a word has as many in both.",
                "Get the file again.");
        return new WordEmbedding(first, second) { Word = word };
    }

    private static WordEmbedding Layers(string path, string[] names, Func<string, Tensor> load, string word)
    {
        Tensor[] rows = [.. names.OrderBy(Place).Select(load)];
        if (rows.FirstOrDefault(tensor => !tensor.shape.SequenceEqual(rows[0].shape)) is { } other)
            throw new InvalidFileException(
                path, $"its attention layers have vectors of the shapes [{string.Join(", ", rows[0].shape)}] and "
                    + $"[{string.Join(", ", other.shape)}]: all must be alike.", "Get the file again.");
        return new WordEmbedding(stack(rows)) { Word = word };

        static (int Side, int Number) Place(string name) => name == "MID" ? (1, 0)
            : (name.StartsWith("IN", StringComparison.Ordinal) ? 0 : 2, int.Parse(name[^2..], CultureInfo.InvariantCulture));
    }

    /// <summary>The form of AUTOMATIC1111: the tensor lies in a dictionary of the torch file.</summary>
    private static WordEmbedding? WebUi(string path, ITensorFile file, string stem)
    {
        if (file is not TorchFile { Root: PickleDictionary root } torch || !root.TryGet(WebUiParameters, out var value)) return null;
        if (value is not PickleDictionary parameters
            || parameters.Select(entry => entry.Value).OfType<PickleTensor>().ToList() is not [var tensor])
            throw new InvalidFileException(path, $"{WebUiParameters} holds other things than one tensor.", Remedy);
        var name = $"{WebUiParameters}.{WebUiEntry}";
        if (!is_floating_point(tensor.DType.ToScalarType())) throw NotRows(path, name, tensor.Shape, tensor.DType);
        var stored = empty([.. tensor.Shape], dtype: tensor.DType.ToScalarType());
        torch.Read(tensor, stored.bytes);
        return new WordEmbedding(Rows(path, name, stored.to(ScalarType.Float32), tensor.DType))
        {
            Word = root.TryGet("name", out var word) && word is PickleText { Value.Length: > 0 } text ? text.Value : stem,
        };
    }

    private static List<WordEmbedding> Bundled(string path, WeightFile file)
    {
        var bundled = BundledEmbeddings.Load(file);
        return [.. bundled.Select(entry =>
        {
            var (word, tensors) = entry;
            Tensor Load(string name) => Rows(
                path, $"{word}.{name}", tensors[name].to(ScalarType.Float32), tensors[name].dtype.ToTensorDType());
            if (tensors.ContainsKey(First) || tensors.ContainsKey(Second)) return Sdxl(path, [.. tensors.Keys], Load, word);
            var rows = tensors.Keys.FirstOrDefault(name => name == Single || name.StartsWith(WebUiParameters, StringComparison.Ordinal));
            return rows is not null ? new WordEmbedding(Load(rows)) { Word = word } : throw new InvalidFileException(
                path, $"the bundled embedding \"{word}\" has {string.Join(", ", tensors.Keys)} instead of {Single}.", Remedy);
        })];
    }

    private static Tensor Rows(string path, WeightFile file, string name)
    {
        var stored = file.Source[name];
        if (!is_floating_point(stored.DType.ToScalarType())) throw NotRows(path, name, stored.Shape, stored.DType);
        return Rows(path, name, file.Load(name, ScalarType.Float32), stored.DType);
    }

    private static Tensor Rows(string path, string name, Tensor tensor, TensorDType type)
    {
        if (tensor.dim() is not (1 or 2) || tensor.numel() == 0) throw NotRows(path, name, tensor.shape, type);
        return FiniteNumbers.Checked(path, name, tensor.dim() == 1 ? tensor.unsqueeze(0) : tensor);
    }

    private static InvalidFileException NotRows(string path, string name, IReadOnlyList<long> shape, TensorDType type) => new(
        path, $"\"{name}\" is {type} of shape [{string.Join(", ", shape)}] instead of vectors [n, width].", Remedy);

    [GeneratedRegex(@"^(IN\d\d|MID|OUT\d\d)$")]
    private static partial Regex LayerName();
}

/// <summary>Makes the embeddings of files usable in captions and prompts.</summary>
public static class EmbeddingFileExtensions
{
    /// <summary>Adds the word of an embedding file to a model, which owns it from then on: every prompt and caption may say it.</summary>
    /// <param name="model">The model; its text encoders must be there.</param>
    /// <param name="path">See <see cref="EmbeddingFile"/>.</param>
    /// <param name="word">The word; null for the one that the file says, or its name.</param>
    /// <returns>The word in the model: disposing of it takes the word away again.</returns>
    /// <exception cref="InvalidFileException">It is no such file, holds several embeddings, or one for another kind of model; or the model
    /// knows the word.</exception>
    public static AddedWord AddEmbedding(this StableDiffusionModel model, string path, string? word = null)
    {
        using var embedding = EmbeddingFile.Read(path);
        return Add(model, path, embedding, word);
    }

    /// <summary>Adds all words of a file, such as a LoRA that brings embeddings along.</summary>
    /// <param name="model">The model; its text encoders must be there.</param>
    /// <param name="path">See <see cref="EmbeddingFile"/>.</param>
    /// <exception cref="InvalidFileException">As for <see cref="AddEmbedding(StableDiffusionModel, string, string?)"/>; no word is added
    /// then.</exception>
    public static IReadOnlyList<AddedWord> AddEmbeddings(this StableDiffusionModel model, string path)
    {
        var embeddings = EmbeddingFile.ReadAll(path);
        var added = new List<AddedWord>();
        try
        {
            foreach (var embedding in embeddings) added.Add(Add(model, path, embedding, null));
            return added;
        }
        catch
        {
            foreach (var word in added) word.Dispose();
            throw;
        }
        finally
        {
            foreach (var embedding in embeddings) embedding.Dispose();
        }
    }

    private static AddedWord Add(StableDiffusionModel model, string path, WordEmbedding embedding, string? word)
    {
        ArgumentNullException.ThrowIfNull(model);
        if (embedding.MisfitWith(model) is var (misfit, change)) throw new InvalidFileException(path, misfit, change);
        if (AddedWord.FaultOf(word ?? embedding.Word!, embedding.Vectors, model.Tokenizer) is var (fault, remedy))
            throw new InvalidFileException(path, fault, remedy);
        return model.AddEmbedding(embedding, word);
    }
}
