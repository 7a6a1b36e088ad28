namespace StableTune.Optimizers;

/// <summary>What Adam and its kin have in common: two moments, ε, and a weight decay.</summary>
public abstract record AdamFamilyOptions : OptimizerOptions
{
    /// <summary>β₁, the decay of the mean of gradients, in [0, 1). Default 0.9.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>β₂, the decay of the mean of squared gradients, in [0, 1). Default 0.999.</summary>
    public double Beta2 { get; init; } = 0.999;

    /// <summary>ε, added to the root of the second moment; positive. Default 1e-8.</summary>
    public double Epsilon { get; init; } = 1e-8;

    /// <summary>Weight decay per unit of learning rate, not negative. Default 0.01; 0 with kinds whose reference has none.</summary>
    public double WeightDecay { get; init; } = 0.01;

    /// <summary>The class of the reference as its metadata name it: <c>torch.optim.adamw.AdamW</c>.</summary>
    protected abstract string ReferenceClass { get; }

    /// <summary>The weight decay that the reference's class has by itself. Default 0.01.</summary>
    protected virtual double ReferenceWeightDecay => 0.01;

    /// <summary>Further arguments of the reference's class that differ from its defaults, in Python's spelling. Default none.</summary>
    protected virtual IEnumerable<string> FurtherArguments => [];

    /// <inheritdoc/>
    /// <remarks>As the reference, only what differs from its class's own defaults, in Python's spelling.</remarks>
    public sealed override string ReferenceName
    {
        get
        {
            List<string> arguments = [];
            if (WeightDecay != ReferenceWeightDecay) arguments.Add($"weight_decay={PythonRepr.Of(WeightDecay)}");
            if ((Beta1, Beta2) != (0.9, 0.999)) arguments.Add($"betas=({PythonRepr.Of(Beta1)}, {PythonRepr.Of(Beta2)})");
            if (Epsilon != 1e-8) arguments.Add($"eps={PythonRepr.Of(Epsilon)}");
            arguments.AddRange(FurtherArguments);
            return ReferenceClass + (arguments.Count == 0 ? "" : $"({string.Join(",", arguments)})");
        }
    }

    /// <summary>The rates of one step.</summary>
    /// <param name="learningRate">The rate.</param>
    /// <param name="group">The group, which may have a weight decay of its own.</param>
    internal AdamWRates Rates(double learningRate, ParameterGroup group) =>
        new(learningRate, Beta1, Beta2, Epsilon, group.WeightDecay ?? WeightDecay);

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (Beta1 is not (>= 0 and < 1)) yield return Problem(Beta1, "beta 1 must lie in [0, 1)", "0.9 is customary");
        if (Beta2 is not (>= 0 and < 1)) yield return Problem(Beta2, "beta 2 must lie in [0, 1)", "0.999 is customary");
        if (Epsilon is not (> 0 and < double.PositiveInfinity))
            yield return Problem(Epsilon, "epsilon must be positive", "1e-8 is customary");
        if (WeightDecay is not (>= 0 and < double.PositiveInfinity))
            yield return Problem(WeightDecay, "the weight decay must not be negative", "0.01 is customary, 0 turns it off");
    }
}
