using System.Numerics;
using System.Runtime.CompilerServices;

namespace StableTune.Optimizers;

/// <summary>A parameter as it lies in the memory of the CPU, with its gradient and what is remembered of it.</summary>
internal readonly record struct HostParameter(long Count, HostNumbers Weight, HostNumbers Gradient, HostNumbers[] Slots);

/// <summary>
/// Goes through the parameters of an update once, with a formula in registers: each number is read, changed and written a single time,
/// where it lies. The operators of a formula one after another would go through memory for each, and each of an adapter's hundreds of
/// tensors would cost calls.
/// </summary>
internal static unsafe class HostUpdate
{
    /// <summary>What a thread takes at a time: whole blocks.</summary>
    private const int Chunk = 1 << 16;

    /// <summary>Fewer numbers are changed by one thread.</summary>
    private const long FewestShared = 1 << 17;

    private const int MostSlots = 4;

    /// <summary>Changes the parameters.</summary>
    /// <param name="formula">The formula.</param>
    /// <param name="parameters">The parameters.</param>
    /// <param name="shared">What the formula knows as <see cref="Elements{T}.Shared"/>.</param>
    /// <param name="threads">Threads that may share the work.</param>
    public static void Run<TFormula>(TFormula formula, IReadOnlyList<HostParameter> parameters, float shared, int threads)
        where TFormula : struct, IElementFormula
    {
        var numbers = 0L;
        foreach (var parameter in parameters) numbers += parameter.Count;
        if (threads == 1 || numbers < FewestShared)
        {
            foreach (var parameter in parameters) Part(formula, parameter, 0, parameter.Count, shared);
            return;
        }

        List<(HostParameter Parameter, long Start)> chunks = [];
        foreach (var parameter in parameters)
            for (var start = 0L; start < parameter.Count; start += Chunk) chunks.Add((parameter, start));
        Parallel.ForEach(chunks, new ParallelOptions { MaxDegreeOfParallelism = threads },
            chunk => Part(formula, chunk.Parameter, chunk.Start, Math.Min(Chunk, chunk.Parameter.Count - chunk.Start), shared));
    }

    private static void Part<TFormula>(TFormula formula, HostParameter parameter, long start, long count, float shared)
        where TFormula : struct, IElementFormula
    {
        var slots = parameter.Slots;
        if (parameter.Weight.Plain is var weight && weight != null && parameter.Gradient.Plain is var gradient && gradient != null
            && Array.TrueForAll(slots, slot => slot.Plain != null))
        {
            var at = new Pointers(weight + start, gradient + start);
            for (var i = 0; i < slots.Length; i++) at.Set(i, slots[i].Plain + start);
            Change(formula, slots.Length, at, count, shared);
            return;
        }

        ByBlocks(formula, parameter, start, count, shared);
    }

    /// <summary>What does not lie there as float32 goes through memory on the stack, a block at a time.</summary>
    private static void ByBlocks<TFormula>(TFormula formula, HostParameter parameter, long start, long count, float shared)
        where TFormula : struct, IElementFormula
    {
        const int Block = HostNumbers.Block;
        var scratch = stackalloc float[(MostSlots + 2) * Block];
        var slots = parameter.Slots;
        for (var from = start; from < start + count; from += Block)
        {
            var numbers = (int)Math.Min(Block, start + count - from);
            var at = new Pointers(Place(parameter.Weight, MostSlots), Place(parameter.Gradient, MostSlots + 1));
            for (var i = 0; i < slots.Length; i++) at.Set(i, Place(slots[i], i));
            Change(formula, slots.Length, at, numbers, shared);
            if (parameter.Weight.Plain == null) parameter.Weight.Write(from, numbers, at.Weight);
            for (var i = 0; i < slots.Length; i++)
                if (slots[i].Plain == null) slots[i].Write(from, numbers, scratch + (i * Block));

            float* Place(HostNumbers of, int place)
            {
                if (of.Plain != null) return of.Plain + from;
                of.Read(from, numbers, scratch + (place * Block));
                return scratch + (place * Block);
            }
        }
    }

    private static void Change<TFormula>(TFormula formula, int slots, Pointers at, long count, float shared)
        where TFormula : struct, IElementFormula
    {
        switch (slots)
        {
            case 0: Change<TFormula, Zero>(formula, at, count, shared); break;
            case 1: Change<TFormula, One>(formula, at, count, shared); break;
            case 2: Change<TFormula, Two>(formula, at, count, shared); break;
            case 3: Change<TFormula, Three>(formula, at, count, shared); break;
            default: Change<TFormula, Four>(formula, at, count, shared); break;
        }
    }

    private static void Change<TFormula, TSlots>(TFormula formula, Pointers at, long count, float shared)
        where TFormula : struct, IElementFormula where TSlots : struct, ICount
    {
        var (lanes, common) = (Vector<float>.Count, new Lanes(new Vector<float>(shared)));
        var i = 0L;
        for (; i + lanes <= count; i += lanes) Apply<TFormula, TSlots>(formula, at, i, common);
        if (i == count) return;

        // The last few, in a register that is filled up with zeros.
        var rest = (int)(count - i);
        var padded = stackalloc float[(MostSlots + 2) * lanes];
        new Span<float>(padded, (MostSlots + 2) * lanes).Clear();
        var inStack = new Pointers(padded, padded + lanes);
        Copy(at.Weight + i, inStack.Weight);
        Copy(at.Gradient + i, inStack.Gradient);
        for (var slot = 0; slot < TSlots.Value; slot++)
        {
            inStack.Set(slot, padded + ((slot + 2) * lanes));
            Copy(at[slot] + i, inStack[slot]);
        }

        Apply<TFormula, TSlots>(formula, inStack, 0, common);
        Copy(inStack.Weight, at.Weight + i);
        for (var slot = 0; slot < TSlots.Value; slot++) Copy(inStack[slot], at[slot] + i);

        void Copy(float* from, float* to) => new ReadOnlySpan<float>(from, rest).CopyTo(new Span<float>(to, rest));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Apply<TFormula, TSlots>(TFormula formula, in Pointers at, long i, Lanes shared)
        where TFormula : struct, IElementFormula where TSlots : struct, ICount
    {
        var numbers = new Elements<Lanes> { Weight = Load(at.Weight + i), Gradient = Load(at.Gradient + i), Shared = shared };
        // The number of slots is known when this is compiled: the conditions cost nothing.
        if (TSlots.Value > 0) numbers.First = Load(at.First + i);
        if (TSlots.Value > 1) numbers.Second = Load(at.Second + i);
        if (TSlots.Value > 2) numbers.Third = Load(at.Third + i);
        if (TSlots.Value > 3) numbers.Fourth = Load(at.Fourth + i);
        formula.Apply(ref numbers);
        Store(at.Weight + i, numbers.Weight);
        if (TSlots.Value > 0) Store(at.First + i, numbers.First);
        if (TSlots.Value > 1) Store(at.Second + i, numbers.Second);
        if (TSlots.Value > 2) Store(at.Third + i, numbers.Third);
        if (TSlots.Value > 3) Store(at.Fourth + i, numbers.Fourth);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Lanes Load(float* from) => new(Unsafe.ReadUnaligned<Vector<float>>(from));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(float* to, Lanes values) => Unsafe.WriteUnaligned(to, values.Values);

    /// <summary>A number that the compiler knows.</summary>
    private interface ICount
    {
        static abstract int Value { get; }
    }

    private readonly struct Zero : ICount
    {
        public static int Value => 0;
    }

    private readonly struct One : ICount
    {
        public static int Value => 1;
    }

    private readonly struct Two : ICount
    {
        public static int Value => 2;
    }

    private readonly struct Three : ICount
    {
        public static int Value => 3;
    }

    private readonly struct Four : ICount
    {
        public static int Value => 4;
    }

    private struct Pointers(float* weight, float* gradient)
    {
        public readonly float* Weight = weight, Gradient = gradient;
        public float* First, Second, Third, Fourth;

        public readonly float* this[int slot] => slot switch { 0 => First, 1 => Second, 2 => Third, _ => Fourth };

        public void Set(int slot, float* value)
        {
            switch (slot)
            {
                case 0: First = value; break;
                case 1: Second = value; break;
                case 2: Third = value; break;
                default: Fourth = value; break;
            }
        }
    }
}
