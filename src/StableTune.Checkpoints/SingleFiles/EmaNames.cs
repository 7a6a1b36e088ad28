using StableTune.Formats;

namespace StableTune.Checkpoints;

/// <summary>The averaged weights of a checkpoint: <c>model_ema.</c> and the weight's name in <c>model.</c> without its dots.</summary>
internal sealed class EmaNames
{
    private const string Prefix = "model_ema.", Model = "model.";

    private readonly ITensorFile _file;

    /// <summary>Counts what the file has.</summary>
    public EmaNames(ITensorFile file)
    {
        _file = file;
        Count = file.Tensors.Count(tensor => Is(tensor.Name));
    }

    /// <summary>How many tensors belong to the average.</summary>
    public int Count { get; }

    /// <summary>Whether the name is one of the average's, among them its counters.</summary>
    public static bool Is(string name) => name.StartsWith(Prefix, StringComparison.Ordinal);

    /// <summary>The average of a weight; null where the file has none of the same shape.</summary>
    public TensorInfo? Of(TensorInfo weight)
    {
        if (!weight.Name.StartsWith(Model, StringComparison.Ordinal)) return null;
        var name = Prefix + weight.Name[Model.Length..].Replace(".", "", StringComparison.Ordinal);
        return _file.TryGet(name, out var average) && average.Shape.SequenceEqual(weight.Shape) ? average : null;
    }
}
