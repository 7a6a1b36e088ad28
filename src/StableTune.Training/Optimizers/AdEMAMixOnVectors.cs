namespace StableTune.Optimizers;

/// <summary>
/// θ ← θ(1 − lr·wd); m ← β₁m + (1 − β₁)g; n ← β₃n + (1 − β₃)g; v ← β₂v + (1 − β₂)g²;
/// θ ← θ − lr·(m/(1 − β₁ᵗ) + αn)/(√v/√(1 − β₂ᵗ) + ε).
/// </summary>
/// <param name="options">The options.</param>
/// <param name="groups">What is stepped.</param>
/// <param name="signed">How both means are kept.</param>
/// <param name="unsigned">How the mean of squares is kept.</param>
internal sealed class AdEMAMixOnVectors(
    AdEMAMixFamilyOptions options, IReadOnlyList<ParameterGroup> groups, Func<string, FlatSlot> signed, Func<string, FlatSlot> unsigned)
    : FlatOptimizer(options, groups, signed(Fast), signed(Slow), unsigned(Square))
{
    private const string Fast = "m", Slow = "m2", Square = "v";

    protected override bool IsElementwise => true;

    protected override void Update(FlatUpdate update)
    {
        var (w, g, fast, slow, square) = (update.Weights, update.Gradients, update[Fast], update[Slow], update[Square]);
        var slowBeta = options.Beta3At(update.Step);
        fast.mul_(options.Beta1).add_(g, alpha: 1 - options.Beta1);
        slow.mul_(slowBeta).add_(g, alpha: 1 - slowBeta);
        square.mul_(options.Beta2).addcmul_(g, g, 1 - options.Beta2);
        w.mul_(1 - (update.LearningRate * (update.Group.WeightDecay ?? options.WeightDecay)));
        var root = square.sqrt().div_(Math.Sqrt(1 - Math.Pow(options.Beta2, update.Step))).add_(options.Epsilon);
        var direction = (fast / (1 - Math.Pow(options.Beta1, update.Step))).add_(slow, alpha: options.AlphaAt(update.Step));
        w.addcdiv_(direction, root, -update.LearningRate);
    }
}
