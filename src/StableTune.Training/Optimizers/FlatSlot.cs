using StableTune.Torch;

namespace StableTune.Optimizers;

/// <summary>
/// Something that a <see cref="FlatOptimizer"/> remembers of each number of its parameters: how it is kept, and how it comes out and goes
/// back as one vector of float32 for all parameters of an update.
/// </summary>
public abstract class FlatSlot
{
    /// <summary>What it is called, in states too.</summary>
    public abstract string Name { get; }

    /// <summary>The slots that hold it.</summary>
    public abstract IReadOnlyList<OptimizerSlot> Slots { get; }

    /// <summary>What is remembered of the parameters of an update, one after another.</summary>
    /// <param name="update">The parameters, n numbers in all.</param>
    /// <returns>[n], float32, on the parameters' device: may be changed in place, and may be the memory itself.</returns>
    public abstract Tensor Read(OptimizerUpdate update);

    /// <summary>Remembers what <see cref="Read"/> gave and the update changed.</summary>
    /// <param name="update">The parameters.</param>
    /// <param name="values">[n], float32.</param>
    public abstract void Write(OptimizerUpdate update, Tensor values);

    /// <summary>Numbers that are kept in float32 and are 0 at first.</summary>
    /// <param name="name">What it is called.</param>
    public static FlatSlot Zeros(string name) => new PlainSlot(name, weight => zeros(weight.shape, ScalarType.Float32, weight.device));

    /// <summary>Numbers that are kept in float32 and have one value at first.</summary>
    /// <param name="name">What it is called.</param>
    /// <param name="value">The value.</param>
    public static FlatSlot Filled(string name, double value) =>
        new PlainSlot(name, weight => full(weight.shape, value, ScalarType.Float32, weight.device));

    /// <summary>A copy of the weights as they are at first, kept in float32.</summary>
    /// <param name="name">What it is called.</param>
    public static FlatSlot OfWeights(string name) =>
        new PlainSlot(name, weight => weight.detach().to(ScalarType.Float32, copy: true).contiguous());

    private sealed class PlainSlot(string name, Func<Tensor, Tensor> create) : FlatSlot
    {
        public override string Name => name;

        public override IReadOnlyList<OptimizerSlot> Slots { get; } = [new(name, create)];

        public override Tensor Read(OptimizerUpdate update) => FlatTensors.Join(update.Slot(name));

        public override void Write(OptimizerUpdate update, Tensor values) => FlatTensors.PutBack(values, update.Slot(name));
    }
}

/// <summary>Several tensors as one vector, and back.</summary>
internal static class FlatTensors
{
    private static readonly Operator Copy = new("aten::_foreach_copy_");

    /// <summary>Tensors one after another, [n], float32. Of one alone that is laid out so already, its own memory.</summary>
    public static Tensor Join(IReadOnlyList<Tensor> tensors) => tensors.Count == 1
        ? tensors[0].detach().reshape(-1).to(ScalarType.Float32)
        : cat([.. tensors.Select(tensor => tensor.detach().reshape(-1).to(ScalarType.Float32))]);

    /// <summary>Copies a vector's numbers back, unless they are there already.</summary>
    public static void PutBack(Tensor values, IReadOnlyList<Tensor> tensors)
    {
        if (tensors.Count == 1 && IsItself(values, tensors[0])) return;
        var pieces = values.split([.. tensors.Select(tensor => tensor.numel())]);
        Copy.Do(tensors.Select(tensor => tensor.detach()).ToArray(),
            pieces.Zip(tensors, (piece, tensor) => piece.view(tensor.shape)).ToArray(), false);
    }

    private static bool IsItself(Tensor values, Tensor tensor) =>
        tensor.dtype == ScalarType.Float32 && tensor.is_contiguous() && values.DataPointer() == tensor.DataPointer();
}
