namespace StableTune.Optimizers;

/// <summary>Something that is remembered of every so manieth number of each parameter, counted from its first; in float32.</summary>
/// <param name="name">What it is called.</param>
/// <param name="every">Above 1.</param>
/// <param name="start">Whether it is the weights as they are at first; else it is 0 at first.</param>
internal sealed class SampledSlot(string name, int every, bool start) : FlatSlot
{
    public override string Name => name;

    public override IReadOnlyList<OptimizerSlot> Slots { get; } = [new(name, weight =>
    {
        var sample = weight.detach().reshape(-1)[TensorIndex.Slice(step: every)].to(ScalarType.Float32, copy: true).contiguous();
        return start ? sample : sample.zero_();
    })];

    public override Tensor Read(OptimizerUpdate update) => FlatTensors.Join(update.Slot(name));

    public override void Write(OptimizerUpdate update, Tensor values) => FlatTensors.PutBack(values, update.Slot(name));

    /// <summary>The numbers that are sampled out of the vector of all.</summary>
    /// <param name="parameters">The parameters that the vector holds one after another.</param>
    /// <param name="values">[n].</param>
    /// <param name="every">Above 1.</param>
    public static Tensor Sample(IReadOnlyList<OptimizedParameter> parameters, Tensor values, int every)
    {
        Tensor[] pieces = [.. values.split([.. parameters.Select(parameter => parameter.Value.numel())])
            .Select(piece => piece[TensorIndex.Slice(step: every)])];
        return pieces.Length == 1 ? pieces[0] : cat(pieces);
    }
}
