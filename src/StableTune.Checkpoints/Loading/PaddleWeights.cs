using System.Diagnostics.CodeAnalysis;
using System.Text.RegularExpressions;
using StableTune.Formats;

namespace StableTune.Checkpoints;

/// <summary>
/// A part's weights as ppdiffusers writes them (<c>model_state.pdparams</c>), under the names and in the shapes of diffusers and
/// transformers: Paddle's linear layers hold [in, out], its bfloat16 is stored as unsigned integers, and PaddleNLP's CLIP has names of its
/// own.
/// </summary>
internal sealed partial class PaddleWeights : ITensorFile
{
    /// <summary>The name of the file in a part's folder.</summary>
    public const string FileName = "model_state.pdparams";

    private readonly PaddleFile _file;
    private readonly OrderedDictionary<string, (TensorInfo Info, TensorInfo Stored, bool Turned)> _tensors = new(StringComparer.Ordinal);

    private PaddleWeights(PaddleFile file) => _file = file;

    public string Path => _file.Path;

    public IReadOnlyDictionary<string, string> Metadata => _file.Metadata;

    public IReadOnlyList<TensorInfo> Tensors => field ??= [.. _tensors.Values.Select(tensor => tensor.Info)];

    /// <summary>A view of the file, which owns it; a file of another format is given back as it is.</summary>
    /// <exception cref="InvalidFileException">Two tensors become the same, or one is too large.</exception>
    public static ITensorFile Over(ITensorFile file)
    {
        if (file is not PaddleFile paddle) return file;
        var view = new PaddleWeights(paddle);
        try
        {
            foreach (var stored in file.Tensors) view.Add(stored);
            return view;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    public bool TryGet(string name, [MaybeNullWhen(false)] out TensorInfo info)
    {
        info = _tensors.TryGetValue(name, out var found) ? found.Info : null;
        return info is not null;
    }

    public void Read(TensorInfo info, Span<byte> destination, long offset = 0)
    {
        var (stored, turned) = Source(info);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, info.ByteCount);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(destination.Length, info.ByteCount - offset, nameof(destination));
        if (!turned) _file.Read(stored, destination, offset);
        else _file.ReadTransposed(stored, destination, offset);
    }

    public MappedTensor? Lease(TensorInfo info)
    {
        var (stored, turned) = Source(info);
        return turned ? null : _file.Lease(stored);
    }

    public void Dispose() => _file.Dispose();

    /// <summary>The name in transformers and diffusers for a name of Paddle.</summary>
    internal static string Name(string name)
    {
        if (name.StartsWith("clip.", StringComparison.Ordinal)) name = name["clip.".Length..];
        if (name == "text_projection") return "text_projection.weight";
        if (!name.StartsWith("text_model.", StringComparison.Ordinal)) return name;
        name = name.Replace("text_model.token_embedding.", "text_model.embeddings.token_embedding.", StringComparison.Ordinal)
            .Replace("text_model.positional_embedding.", "text_model.embeddings.position_embedding.", StringComparison.Ordinal)
            .Replace("text_model.ln_final.", "text_model.final_layer_norm.", StringComparison.Ordinal)
            .Replace("text_model.transformer.layers.", "text_model.encoder.layers.", StringComparison.Ordinal);
        return TextLayer().Replace(name, match => match.Groups["start"].Value + match.Groups["kind"].Value switch
        {
            "linear" => "mlp.fc",
            _ => "layer_norm",
        } + match.Groups["number"].Value + ".");
    }

    private void Add(TensorInfo stored)
    {
        var turned = stored.Shape.Count == 2 && !IsEmbedding(stored.Name);
        if (turned && stored.ByteCount > Array.MaxLength) throw new InvalidFileException(
            Path, $"the tensor '{stored.Name}' is {stored}, far too large.", "The file is damaged, or is a model of another kind.");
        var type = stored.DType == TensorDType.U16 ? TensorDType.BF16 : stored.DType;
        IReadOnlyList<long> shape = turned ? [stored.Shape[1], stored.Shape[0]] : stored.Shape;
        var name = Name(stored.Name);
        var info = new TensorInfo(name, type, shape, stored.Begin, stored.End);
        if (!_tensors.TryAdd(name, (info, stored, turned))) throw new InvalidFileException(
            Path, $"the tensors '{_tensors[name].Stored.Name}' and '{stored.Name}' are both '{name}' of the model.",
                "Remove one of them from the file.");
    }

    // Tables have a row for each entry in Paddle too.
    private static bool IsEmbedding(string name) =>
        name.Split('.') is [.., var module, "weight"] && module.Contains("embedding", StringComparison.Ordinal);

    private (TensorInfo Stored, bool Turned) Source(TensorInfo info)
    {
        ArgumentNullException.ThrowIfNull(info);
        return _tensors.TryGetValue(info.Name, out var own) && ReferenceEquals(own.Info, info) ? (own.Stored, own.Turned)
            : throw new ArgumentException($"Tensor '{info.Name}' is not one of {Path}.", nameof(info));
    }

    // "text_model.encoder.layers.3.linear1." and "... .norm2."
    [GeneratedRegex(@"^(?<start>text_model\.encoder\.layers\.\d+\.)(?<kind>linear|norm)(?<number>[12])\.")]
    private static partial Regex TextLayer();
}
