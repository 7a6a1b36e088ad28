namespace StableTune.Optimizers;

/// <summary>
/// Something that an optimizer remembers of each parameter in eight bits, as bitsandbytes does: parameters of 4096 elements and more have
/// codes and scales, in slots called after it (<c>m.codes</c> and <c>m.absmax</c> of "m"), smaller ones a float32 slot of its own name.
/// </summary>
/// <param name="name">Its name in states.</param>
/// <param name="quantization">How numbers become codes.</param>
/// <param name="inHostMemory">Whether all is kept in host memory, whatever the parameters' device ("paged"). Default false.</param>
public sealed class EightBitSlot(string name, BlockwiseQuantization quantization, bool inHostMemory = false)
{
    /// <summary>Parameters with fewer elements are remembered in float32.</summary>
    public const int FewestElements = 4096;

    private const int BlockSize = BlockwiseQuantization.BlockSize;

    private readonly string _codes = name + ".codes", _scales = name + ".absmax";

    /// <summary>The slots, to be declared with the optimizer's others. All stand for 0 at first.</summary>
    public IReadOnlyList<OptimizerSlot> Slots =>
    [
        new(name, weight => IsCoded(weight) ? null : Zeros(weight.shape, ScalarType.Float32, weight.device)),
        new(_codes, weight => IsCoded(weight) ? Zeros([Blocks(weight), BlockSize], ScalarType.Byte, weight.device) : null),
        new(_scales, weight => IsCoded(weight) ? Zeros([Blocks(weight)], ScalarType.Float32, weight.device) : null),
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
        return [.. FlatTensors.Split(ReadVector(update), update.Weights).Select(values => values.MoveToOuterDisposeScope())];
    }

    /// <summary>Remembers something of each parameter of an update.</summary>
    /// <param name="update">The parameters.</param>
    /// <param name="values">What is to be remembered, of the parameters' shapes.</param>
    public void Write(OptimizerUpdate update, IReadOnlyList<Tensor> values)
    {
        ArgumentNullException.ThrowIfNull(update);
        ArgumentNullException.ThrowIfNull(values);
        using var scope = NewDisposeScope();
        WriteVector(update, FlatTensors.Join([.. values]));
    }

    /// <summary>What is remembered of a parameter as it lies in the memory of the CPU; null where it does not.</summary>
    internal HostNumbers? OnHost(OptimizedParameter parameter) => parameter.Find(name) is { } plain ? HostNumbers.Of(plain)
        : HostNumbers.Of(parameter[_codes], parameter[_scales], quantization);

    /// <summary>What is remembered of the parameters of an update, one after another: [n], float32, on their device.</summary>
    internal Tensor ReadVector(OptimizerUpdate update)
    {
        using var scope = NewDisposeScope();
        var device = update.Parameters[0].Value.device;
        var coded = Coded(update);
        if (coded.Length == 0) return FlatTensors.Join(update.Slot(name)).to(device).MoveToOuterDisposeScope();
        // All at once: an adapter has hundreds of small tensors, and each would cost some ten calls.
        var numbers = quantization.Dequantize(Joined(coded, _codes).to(device), Joined(coded, _scales).to(device)).view(-1);
        if (coded.Length == update.Parameters.Count && coded.All(parameter => Filling(parameter) == 0))
            return numbers.MoveToOuterDisposeScope();
        var pieces = new Queue<Tensor>(numbers.split([.. coded.SelectMany(Sizes)]));
        return FlatTensors.Join([.. update.Parameters.Select(Next)]).MoveToOuterDisposeScope();

        Tensor Next(OptimizedParameter parameter)
        {
            if (parameter.Find(name) is { } plain) return plain.to(device);
            var piece = pieces.Dequeue();
            if (Filling(parameter) > 0) pieces.Dequeue();
            return piece;
        }
    }

    /// <summary>Remembers numbers of the parameters of an update, one after another.</summary>
    internal void WriteVector(OptimizerUpdate update, Tensor values)
    {
        using var scope = NewDisposeScope();
        var coded = Coded(update);
        if (coded.Length == 0)
        {
            FlatTensors.PutBack(values, update.Slot(name));
            return;
        }

        var pieces = FlatTensors.Split(values, update.Weights).Zip(update.Parameters).ToLookup(pair => pair.Second.Find(name) is null);
        FlatTensors.CopyTo([.. pieces[false].Select(pair => pair.Second[name])], [.. pieces[false].Select(pair => pair.First)]);
        // What fills up the last block of a parameter.
        var filling = zeros(BlockSize, ScalarType.Float32, values.device);
        var blocks = FlatTensors.Join([.. pieces[true].SelectMany(pair => Filling(pair.Second) is > 0 and var missing
            ? new[] { pair.First, filling.narrow(0, 0, missing) } : [pair.First])]).view(-1, BlockSize);
        var (codes, scales) = quantization.Quantize(blocks);
        long[] counts = [.. coded.Select(parameter => Blocks(parameter.Value))];
        FlatTensors.CopyTo([.. coded.Select(parameter => parameter[_codes])], codes.split(counts));
        FlatTensors.CopyTo([.. coded.Select(parameter => parameter[_scales])], scales.split(counts));
    }

    private OptimizedParameter[] Coded(OptimizerUpdate update) =>
        [.. update.Parameters.Where(parameter => parameter.Find(name) is null)];

    private static IEnumerable<long> Sizes(OptimizedParameter parameter) => Filling(parameter) is > 0 and var missing
        ? [parameter.Value.numel(), missing] : [parameter.Value.numel()];

    /// <summary>Numbers that are missing in a parameter's last block.</summary>
    private static long Filling(OptimizedParameter parameter) => (Blocks(parameter.Value) * BlockSize) - parameter.Value.numel();

    private Tensor Zeros(long[] shape, ScalarType type, Device device)
    {
        var made = zeros(shape, type, inHostMemory && device.type != DeviceType.META ? CPU : device);
        return inHostMemory && device.type == DeviceType.CUDA ? made.pin_memory() : made;
    }

    private static Tensor Joined(IEnumerable<OptimizedParameter> parameters, string slot) =>
        cat([.. parameters.Select(parameter => parameter[slot])]);

    private static bool IsCoded(Tensor weight) => weight.numel() >= FewestElements;

    private static long Blocks(Tensor weight) => BlockwiseQuantization.BlocksFor(weight.numel());
}
