namespace StableTune.Optimizers;

/// <summary>
/// Something that an optimizer remembers of each parameter in eight bits, as bitsandbytes does: parameters of 4096 elements and more have
/// codes and scales, in slots called after it (<c>m.codes</c> and <c>m.absmax</c> of "m"), smaller ones a float32 slot of its own name.
/// </summary>
/// <param name="name">Its name in states.</param>
/// <param name="quantization">How numbers become codes.</param>
public sealed class EightBitSlot(string name, BlockwiseQuantization quantization)
{
    /// <summary>Parameters with fewer elements are remembered in float32.</summary>
    public const int FewestElements = 4096;

    private const int BlockSize = BlockwiseQuantization.BlockSize;

    private static readonly Operator Copy = new("aten::_foreach_copy_");

    private readonly string _codes = name + ".codes", _scales = name + ".absmax";

    /// <summary>The slots, to be declared with the optimizer's others. All stand for 0 at first.</summary>
    public IReadOnlyList<OptimizerSlot> Slots =>
    [
        new(name, weight => IsCoded(weight) ? null : zeros(weight.shape, ScalarType.Float32, weight.device)),
        new(_codes, weight => IsCoded(weight) ? zeros([Blocks(weight), BlockSize], ScalarType.Byte, weight.device) : null),
        new(_scales, weight => IsCoded(weight) ? zeros([Blocks(weight)], ScalarType.Float32, weight.device) : null),
    ];

    /// <summary>What is remembered of each parameter of an update.</summary>
    /// <param name="update">The parameters.</param>
    /// <returns>
    /// Tensors of the parameters' shapes, float32 and contiguous. They may be changed in place; what is to be remembered must be written.
    /// </returns>
    public Tensor[] Read(OptimizerUpdate update)
    {
        ArgumentNullException.ThrowIfNull(update);
        using var scope = NewDisposeScope();
        OptimizedParameter[] coded = [.. update.Parameters.Where(parameter => parameter.Find(name) is null)];
        // All at once: an adapter has hundreds of small tensors, and each would cost some ten calls.
        var blocks = coded.Length == 0 ? null : quantization.Dequantize(Joined(coded, _codes), Joined(coded, _scales));
        var row = 0L;
        return [.. update.Parameters.Select(parameter => (parameter.Find(name)?.alias() ?? Next(parameter)).MoveToOuterDisposeScope())];

        Tensor Next(OptimizedParameter parameter)
        {
            var count = Blocks(parameter.Value);
            row += count;
            return blocks!.narrow(0, row - count, count).view(-1).narrow(0, 0, parameter.Value.numel()).view(parameter.Value.shape);
        }
    }

    /// <summary>Remembers something of each parameter of an update.</summary>
    /// <param name="update">The parameters.</param>
    /// <param name="values">What is to be remembered, of the parameters' shapes.</param>
    public void Write(OptimizerUpdate update, IReadOnlyList<Tensor> values)
    {
        ArgumentNullException.ThrowIfNull(update);
        ArgumentNullException.ThrowIfNull(values);
        using var scope = NewDisposeScope();
        var isCoded = update.Parameters.Zip(values).ToLookup(pair => pair.First.Find(name) is null);
        Remember(isCoded[false].Select(pair => pair.First[name]), isCoded[false].Select(pair => pair.Second));
        var coded = isCoded[true].ToArray();
        if (coded.Length == 0) return;
        var blocks = cat([.. coded.Select(pair => BlockwiseQuantization.ToBlocks(pair.Second.to(ScalarType.Float32)))]);
        var (codes, scales) = quantization.Quantize(blocks);
        long[] counts = [.. coded.Select(pair => Blocks(pair.First.Value))];
        Remember(coded.Select(pair => pair.First[_codes]), codes.split(counts));
        Remember(coded.Select(pair => pair.First[_scales]), scales.split(counts));
    }

    private static void Remember(IEnumerable<Tensor> slots, IEnumerable<Tensor> values)
    {
        if (slots.Any()) Copy.Do(slots.ToArray(), values.ToArray(), false);
    }

    private static Tensor Joined(IEnumerable<OptimizedParameter> parameters, string slot) =>
        cat([.. parameters.Select(parameter => parameter[slot])]);

    private static bool IsCoded(Tensor weight) => weight.numel() >= FewestElements;

    private static long Blocks(Tensor weight) => BlockwiseQuantization.BlocksFor(weight.numel());
}
