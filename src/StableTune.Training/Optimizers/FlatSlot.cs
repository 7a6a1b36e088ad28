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

    /// <summary>What is remembered of one parameter as it lies in the memory of the CPU; null, the default, where it does not lie there or
    /// in no known way.</summary>
    internal virtual HostNumbers? OnHost(OptimizedParameter parameter) => null;

    /// <summary>Numbers that are kept in float32 and are 0 at first.</summary>
    /// <param name="name">What it is called.</param>
    /// <param name="inHostMemory">Whether they are kept in host memory and come to a GPU for the update only ("paged").</param>
    public static FlatSlot Zeros(string name, bool inHostMemory = false) => new PlainSlot(name, 0, false, inHostMemory);

    /// <summary>Numbers that are kept in float32 and have one value at first.</summary>
    /// <param name="name">What it is called.</param>
    /// <param name="value">The value.</param>
    public static FlatSlot Filled(string name, double value) => new PlainSlot(name, value, false, false);

    /// <summary>A copy of the weights as they are at first, kept in float32.</summary>
    /// <param name="name">What it is called.</param>
    public static FlatSlot OfWeights(string name) => new PlainSlot(name, 0, true, false);

    /// <summary>
    /// Numbers that are kept in eight bits with a scale for each 256, and are 0 at first; those of parameters below 4096 elements in
    /// float32. See <see cref="EightBitSlot"/>.
    /// </summary>
    /// <param name="name">What it is called.</param>
    /// <param name="quantization">How numbers become codes.</param>
    /// <param name="inHostMemory">Whether they are kept in host memory and come to a GPU for the update only ("paged").</param>
    public static FlatSlot EightBit(string name, BlockwiseQuantization quantization, bool inHostMemory = false) =>
        new CodedSlot(name, new EightBitSlot(name, quantization, inHostMemory));

    /// <summary>The slots, in one piece of memory where that can be.</summary>
    internal virtual IReadOnlyList<OptimizerSlot> SlotsIn(FlatMemory memory) => Slots;

    private sealed class PlainSlot(string name, double value, bool ofWeights, bool inHostMemory) : FlatSlot
    {
        public override string Name => name;

        public override IReadOnlyList<OptimizerSlot> Slots =>
        [
            new(name, weight => ofWeights ? weight.detach().to(ScalarType.Float32, copy: true).contiguous()
                : full(weight.shape, value, ScalarType.Float32, weight.device)),
        ];

        internal override IReadOnlyList<OptimizerSlot> SlotsIn(FlatMemory memory) =>
        [
            new(name, weight =>
            {
                var place = memory.Of(weight);
                var part = place.In(place.Block.Vector(name, value, inHostMemory)).view(weight.shape);
                if (ofWeights) part.copy_(weight.detach());
                return part;
            }),
        ];

        internal override HostNumbers? OnHost(OptimizedParameter parameter) => HostNumbers.Of(parameter[name]);

        public override Tensor Read(OptimizerUpdate update)
        {
            var values = FlatBlock.Run(update.Parameters, name) ?? FlatTensors.Join(update.Slot(name));
            return inHostMemory ? values.to(update.Parameters[0].Value.device, non_blocking: true) : values;
        }

        public override void Write(OptimizerUpdate update, Tensor values)
        {
            if (FlatBlock.Run(update.Parameters, name) is not { } run) FlatTensors.PutBack(values, update.Slot(name));
            else if (!FlatTensors.IsItself(values, run)) run.copy_(values);
        }
    }

    private sealed class CodedSlot(string name, EightBitSlot slot) : FlatSlot
    {
        public override string Name => name;

        public override IReadOnlyList<OptimizerSlot> Slots => slot.Slots;

        internal override HostNumbers? OnHost(OptimizedParameter parameter) => slot.OnHost(parameter);

        public override Tensor Read(OptimizerUpdate update) => slot.ReadVector(update);

        public override void Write(OptimizerUpdate update, Tensor values) => slot.WriteVector(update, values);
    }
}
