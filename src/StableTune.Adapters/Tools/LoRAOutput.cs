using StableTune.Formats;
using StableTune.Tensors;

namespace StableTune.Adapters;

/// <summary>One layer of a LoRA that is to be written; its factors are made when they are written, or lie in memory.</summary>
/// <param name="Name">The adapter's name.</param>
/// <param name="Shape">The adapted weight.</param>
/// <param name="Rank">The rank.</param>
/// <param name="Alpha">The alpha.</param>
/// <param name="Down">Gives the down factor, of any type; called within a scope that frees it.</param>
/// <param name="Up">Gives the up factor.</param>
internal sealed record LoRAPiece(string Name, LoRAShape Shape, int Rank, float Alpha, Func<Tensor> Down, Func<Tensor> Up)
{
    /// <summary>A layer whose factors lie in memory.</summary>
    /// <param name="name">The adapter's name.</param>
    /// <param name="shape">The adapted weight.</param>
    /// <param name="alpha">The alpha.</param>
    /// <param name="down">[rank, in]; brought into the shape of the layer.</param>
    /// <param name="up">[out, rank].</param>
    public static LoRAPiece Of(string name, LoRAShape shape, float alpha, Tensor down, Tensor up)
    {
        var rank = (int)down.shape[0];
        return new(name, shape, rank, alpha, () => down.reshape(shape.Down(rank)), () => up.reshape(shape.Up(rank)));
    }
}

/// <summary>Writes LoRA files for the tools: tensor by tensor, complete or not at all.</summary>
/// <param name="options">Type and progress.</param>
/// <param name="cancellationToken">Looked at before each tensor.</param>
internal sealed class LoRAOutput(AdapterToolOptions options, CancellationToken cancellationToken)
{
    private int _done, _total;

    /// <summary>Writes the layers.</summary>
    /// <param name="path">The file.</param>
    /// <param name="pieces">The layers.</param>
    /// <param name="metadata">Texts for the header; hashes are added.</param>
    /// <param name="notes">What the user should know.</param>
    public SavedAdapter Write(
        string path, IReadOnlyList<LoRAPiece> pieces, IReadOnlyDictionary<string, string> metadata, IReadOnlyList<string> notes)
    {
        var tensors = pieces.SelectMany(Payloads).ToList();
        (_done, _total) = (0, tensors.Count);
        if (AdapterFiles.IsTorch(path)) TorchWriter.Write(path, tensors);
        else SafetensorsWriter.WriteHashed(path, tensors, metadata);
        return new SavedAdapter(path, pieces.Count, (pieces.Min(piece => piece.Rank), pieces.Max(piece => piece.Rank)), notes);
    }

    private IEnumerable<TensorPayload> Payloads(LoRAPiece piece)
    {
        yield return Payload($"{piece.Name}.lora_down.weight", piece.Shape.Down(piece.Rank), piece.Down);
        yield return Payload($"{piece.Name}.lora_up.weight", piece.Shape.Up(piece.Rank), piece.Up);
        yield return Payload($"{piece.Name}.alpha", [], () => tensor(piece.Alpha));
    }

    private TensorPayload Payload(string name, long[] shape, Func<Tensor> make) =>
        new(name, options.SavePrecision.ToTensorDType(), shape, stream =>
        {
            cancellationToken.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            using var frozen = no_grad();
            StatePayloads.Of([(name, make())], options.SavePrecision).Single().Write(stream);
            options.Progress?.Report(new WorkProgress { Stage = "writing", Done = ++_done, Total = _total, Item = name });
        });
}
