using System.Runtime.CompilerServices;

namespace StableTune.Optimizers;

/// <summary>Several float32 numbers that are computed with alike: a register of the processor (<see cref="Lanes"/>), or a tensor
/// (<see cref="TensorNumbers"/>). A formula that is written against them runs on both.</summary>
/// <typeparam name="T">The numbers themselves.</typeparam>
internal interface INumbers<T> where T : struct, INumbers<T>
{
    static abstract T operator +(T a, T b);

    static abstract T operator -(T a, T b);

    static abstract T operator *(T a, T b);

    static abstract T operator /(T a, T b);

    static abstract T operator +(T a, float b);

    static abstract T operator *(T a, float b);

    static abstract T operator /(T a, float b);

    /// <summary>All of them a number that the host knows.</summary>
    static abstract T Of(float value, T like);

    /// <summary>All of them 0.</summary>
    static abstract T Zero(T like);

    static abstract T Sqrt(T a);

    static abstract T Abs(T a);

    /// <summary>0 in the place of what is not a number.</summary>
    static abstract T NanToZero(T a);

    /// <summary>-1, 0 or 1.</summary>
    static abstract T Sign(T a);

    static abstract T Max(T a, T b);

    static abstract T Clamp(T a, float least, float most);

    /// <summary>a + share · (b - a), rounded once; the share is below a half.</summary>
    static abstract T Lerp(T a, T b, float share);
}

/// <summary>What an optimizer that treats each number by itself knows of numbers at the same places.</summary>
/// <typeparam name="T">The numbers.</typeparam>
internal ref struct Elements<T> where T : struct, INumbers<T>
{
    /// <summary>The trained numbers; changed.</summary>
    public T Weight;

    /// <summary>Their gradients; what a formula makes of them is forgotten.</summary>
    public T Gradient;

    /// <summary>What is remembered, in the order of the optimizer's slots; changed.</summary>
    public T First, Second, Third, Fourth, Fifth;

    /// <summary>A number that all share and that only the device knows, if the optimizer has one.</summary>
    public T Shared;
}

/// <summary>How one step of an optimizer changes each number, whatever its neighbours are. Its fields are the step's constants.</summary>
internal interface IElementFormula
{
    /// <summary>Changes weights and what is remembered. To be inlined (<see cref="MethodImplOptions.AggressiveInlining"/>): called, the
    /// numbers would go through memory, which takes two to three times as long.</summary>
    void Apply<T>(ref Elements<T> at) where T : struct, INumbers<T>;
}
