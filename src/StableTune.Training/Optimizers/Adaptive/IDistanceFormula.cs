using System.Numerics;
using System.Runtime.CompilerServices;

namespace StableTune.Optimizers;

/// <summary>What all numbers share in a step of an optimizer that finds its own rate.</summary>
/// <param name="distance">d before the step.</param>
/// <param name="rate">λ; in the moves 0 where no gradient has been seen.</param>
/// <param name="further">What else a kind needs in the moves.</param>
internal readonly struct DistanceShares<T>(T distance, T rate, T further) where T : struct, INumbers<T>
{
    public T Distance { get; } = distance;

    public T Rate { get; } = rate;

    public T Further { get; } = further;
}

/// <summary>How an optimizer that finds its own rate looks at each number, and then changes it. Its fields are a group's constants in a
/// step. Both are to be inlined (<see cref="MethodImplOptions.AggressiveInlining"/>).</summary>
internal interface IDistanceFormula
{
    /// <summary>The terms of the step's sums. What is changed is forgotten.</summary>
    void Look<T>(ref Elements<T> at, in DistanceShares<T> step, ref Terms<T> terms) where T : struct, INumbers<T>;

    /// <summary>Changes weights and what is remembered.</summary>
    void Move<T>(ref Elements<T> at, in DistanceShares<T> step) where T : struct, INumbers<T>;
}

/// <summary>What the host knows of the shares.</summary>
internal readonly record struct HostShares(float Distance, float Rate, float Further)
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public DistanceShares<Lanes> InLanes() =>
        new(new(new Vector<float>(Distance)), new(new Vector<float>(Rate)), new(new Vector<float>(Further)));
}

/// <summary>Sums up what a formula sees.</summary>
internal readonly record struct LookingPass<TFormula>(TFormula Formula, HostShares Shares) : IHostPass
    where TFormula : struct, IDistanceFormula
{
    public static bool Changes => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void At(ref Elements<Lanes> at, ref Terms<Lanes> sums)
    {
        var terms = default(Terms<Lanes>);
        Formula.Look(ref at, Shares.InLanes(), ref terms);
        sums.First += terms.First;
        sums.Second += terms.Second;
        sums.Third += terms.Third;
    }
}

/// <summary>Changes numbers as a formula says.</summary>
internal readonly record struct MovingPass<TFormula>(TFormula Formula, HostShares Shares) : IHostPass
    where TFormula : struct, IDistanceFormula
{
    public static bool Changes => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void At(ref Elements<Lanes> at, ref Terms<Lanes> sums) => Formula.Move(ref at, Shares.InLanes());
}
