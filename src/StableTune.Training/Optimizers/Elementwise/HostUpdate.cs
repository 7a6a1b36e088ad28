using System.Numerics;
using System.Runtime.CompilerServices;

namespace StableTune.Optimizers;

/// <summary>A parameter as it lies in the memory of the CPU, with its gradient and what is remembered of it.</summary>
internal readonly record struct HostParameter(long Count, HostNumbers Weight, HostNumbers Gradient, HostNumbers[] Slots);

/// <summary>Sums over all numbers that a pass went through.</summary>
internal readonly record struct HostSums(double First, double Second, double Third)
{
    public static HostSums operator +(HostSums a, HostSums b) => new(a.First + b.First, a.Second + b.Second, a.Third + b.Third);
}

/// <summary>Terms of up to three sums.</summary>
internal struct Terms<T> where T : struct, INumbers<T>
{
    public T First, Second, Third;
}

/// <summary>What is done with the numbers of a register.</summary>
internal interface IHostPass
{
    /// <summary>Whether numbers are changed; else they are summed.</summary>
    static abstract bool Changes { get; }

    /// <summary>Changes numbers, or adds to the sums. To be inlined.</summary>
    void At(ref Elements<Lanes> at, ref Terms<Lanes> sums);
}

/// <summary>Changes numbers by a formula.</summary>
/// <param name="Formula">The formula.</param>
/// <param name="Shared">What the formula knows as <see cref="Elements{T}.Shared"/>.</param>
internal readonly record struct ChangingPass<TFormula>(TFormula Formula, float Shared) : IHostPass
    where TFormula : struct, IElementFormula
{
    public static bool Changes => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void At(ref Elements<Lanes> at, ref Terms<Lanes> sums)
    {
        at.Shared = new(new Vector<float>(Shared));
        Formula.Apply(ref at);
    }
}

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

    /// <summary>Numbers whose terms are summed in float32 before the sums go into double precision.</summary>
    private const long SummedAtOnce = 1 << 12;

    private const int MostSlots = 5;

    /// <summary>Goes through the parameters.</summary>
    /// <param name="pass">What is done.</param>
    /// <param name="parameters">The parameters.</param>
    /// <param name="threads">Threads that may share the work.</param>
    /// <returns>The sums; the same for the same number of threads or more than one.</returns>
    public static HostSums Run<TPass>(TPass pass, IReadOnlyList<HostParameter> parameters, int threads) where TPass : struct, IHostPass
    {
        var numbers = 0L;
        foreach (var parameter in parameters) numbers += parameter.Count;
        var sums = default(HostSums);
        if (threads == 1 || numbers < FewestShared)
        {
            foreach (var parameter in parameters) sums += Part(pass, parameter, 0, parameter.Count);
            return sums;
        }

        List<(HostParameter Parameter, long Start)> chunks = [];
        foreach (var parameter in parameters)
            for (var start = 0L; start < parameter.Count; start += Chunk) chunks.Add((parameter, start));
        var parts = new HostSums[chunks.Count];
        Parallel.For(0, chunks.Count, new ParallelOptions { MaxDegreeOfParallelism = threads }, i =>
            parts[i] = Part(pass, chunks[i].Parameter, chunks[i].Start, Math.Min(Chunk, chunks[i].Parameter.Count - chunks[i].Start)));
        foreach (var part in parts) sums += part;
        return sums;
    }

    private static HostSums Part<TPass>(TPass pass, HostParameter parameter, long start, long count) where TPass : struct, IHostPass
    {
        var slots = parameter.Slots;
        if (parameter.Weight.Plain is var weight && weight != null && parameter.Gradient.Plain is var gradient && gradient != null
            && Array.TrueForAll(slots, slot => slot.Plain != null))
        {
            var at = new Pointers(weight + start, gradient + start);
            for (var i = 0; i < slots.Length; i++) at.Set(i, slots[i].Plain + start);
            return Go(pass, slots.Length, at, count);
        }

        return ByBlocks(pass, parameter, start, count);
    }

    /// <summary>What does not lie there as float32 goes through memory on the stack, a block at a time.</summary>
    private static HostSums ByBlocks<TPass>(TPass pass, HostParameter parameter, long start, long count) where TPass : struct, IHostPass
    {
        const int Block = HostNumbers.Block;
        var scratch = stackalloc float[(MostSlots + 2) * Block];
        var slots = parameter.Slots;
        var sums = default(HostSums);
        for (var from = start; from < start + count; from += Block)
        {
            var numbers = (int)Math.Min(Block, start + count - from);
            var at = new Pointers(Place(parameter.Weight, MostSlots), Place(parameter.Gradient, MostSlots + 1));
            for (var i = 0; i < slots.Length; i++) at.Set(i, Place(slots[i], i));
            sums += Go(pass, slots.Length, at, numbers);
            if (!TPass.Changes) continue;
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

        return sums;
    }

    private static HostSums Go<TPass>(TPass pass, int slots, Pointers at, long count) where TPass : struct, IHostPass => slots switch
    {
        0 => Go<TPass, Zero>(pass, at, count),
        1 => Go<TPass, One>(pass, at, count),
        2 => Go<TPass, Two>(pass, at, count),
        3 => Go<TPass, Three>(pass, at, count),
        4 => Go<TPass, Four>(pass, at, count),
        _ => Go<TPass, Five>(pass, at, count),
    };

    private static HostSums Go<TPass, TSlots>(TPass pass, Pointers at, long count) where TPass : struct, IHostPass
        where TSlots : struct, ICount
    {
        var lanes = Vector<float>.Count;
        var (all, i) = (default(HostSums), 0L);
        while (i + lanes <= count)
        {
            var sums = default(Terms<Lanes>);
            var end = Math.Min(count, i + SummedAtOnce);
            for (; i + lanes <= end; i += lanes) Apply<TPass, TSlots>(pass, at, i, ref sums);
            if (!TPass.Changes) all += Summed(sums);
        }

        return i == count ? all : all + Rest<TPass, TSlots>(pass, at, i, (int)(count - i));
    }

    /// <summary>The last few numbers, in a register that is filled up with zeros.</summary>
    private static HostSums Rest<TPass, TSlots>(TPass pass, Pointers at, long start, int rest) where TPass : struct, IHostPass
        where TSlots : struct, ICount
    {
        var lanes = Vector<float>.Count;
        var padded = stackalloc float[(MostSlots + 2) * lanes];
        new Span<float>(padded, (MostSlots + 2) * lanes).Clear();
        var inStack = new Pointers(padded, padded + lanes);
        Copy(at.Weight + start, inStack.Weight);
        Copy(at.Gradient + start, inStack.Gradient);
        for (var slot = 0; slot < TSlots.Value; slot++)
        {
            inStack.Set(slot, padded + ((slot + 2) * lanes));
            Copy(at[slot] + start, inStack[slot]);
        }

        var sums = default(Terms<Lanes>);
        Apply<TPass, TSlots>(pass, inStack, 0, ref sums);
        if (!TPass.Changes) return Summed(sums);
        Copy(inStack.Weight, at.Weight + start);
        for (var slot = 0; slot < TSlots.Value; slot++) Copy(inStack[slot], at[slot] + start);
        return default;

        void Copy(float* from, float* to) => new ReadOnlySpan<float>(from, rest).CopyTo(new Span<float>(to, rest));
    }

    private static HostSums Summed(in Terms<Lanes> sums) =>
        new(Vector.Sum(sums.First.Values), Vector.Sum(sums.Second.Values), Vector.Sum(sums.Third.Values));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Apply<TPass, TSlots>(TPass pass, in Pointers at, long i, ref Terms<Lanes> sums)
        where TPass : struct, IHostPass where TSlots : struct, ICount
    {
        var numbers = new Elements<Lanes> { Weight = Load(at.Weight + i), Gradient = Load(at.Gradient + i) };
        // The number of slots is known when this is compiled: the conditions cost nothing.
        if (TSlots.Value > 0) numbers.First = Load(at.First + i);
        if (TSlots.Value > 1) numbers.Second = Load(at.Second + i);
        if (TSlots.Value > 2) numbers.Third = Load(at.Third + i);
        if (TSlots.Value > 3) numbers.Fourth = Load(at.Fourth + i);
        if (TSlots.Value > 4) numbers.Fifth = Load(at.Fifth + i);
        pass.At(ref numbers, ref sums);
        if (!TPass.Changes) return;
        Store(at.Weight + i, numbers.Weight);
        if (TSlots.Value > 0) Store(at.First + i, numbers.First);
        if (TSlots.Value > 1) Store(at.Second + i, numbers.Second);
        if (TSlots.Value > 2) Store(at.Third + i, numbers.Third);
        if (TSlots.Value > 3) Store(at.Fourth + i, numbers.Fourth);
        if (TSlots.Value > 4) Store(at.Fifth + i, numbers.Fifth);
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

    private readonly struct Five : ICount
    {
        public static int Value => 5;
    }

    private struct Pointers(float* weight, float* gradient)
    {
        public readonly float* Weight = weight, Gradient = gradient;
        public float* First, Second, Third, Fourth, Fifth;

        public readonly float* this[int slot] => slot switch { 0 => First, 1 => Second, 2 => Third, 3 => Fourth, _ => Fifth };

        public void Set(int slot, float* value)
        {
            switch (slot)
            {
                case 0: First = value; break;
                case 1: Second = value; break;
                case 2: Third = value; break;
                case 3: Fourth = value; break;
                default: Fifth = value; break;
            }
        }
    }
}
