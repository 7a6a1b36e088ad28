namespace StableTune;

/// <summary>How fast a moving average of the weights forgets in its beginning.</summary>
public abstract record EmaWarmup : OptionsBase
{
    /// <summary>The decay of an update, before it is limited.</summary>
    /// <param name="updates">Updates done before, from 1.</param>
    public abstract double Decay(int updates);
}

/// <summary>(1 + s) / (10 + s) after s updates, as TensorFlow's <c>ExponentialMovingAverage</c>.</summary>
public sealed record PlainEmaWarmup : EmaWarmup
{
    /// <inheritdoc/>
    public override double Decay(int updates) => (1.0 + updates) / (10.0 + updates);

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate() => [];
}

/// <summary>1 − (1 + s/γ)^(−p) after s updates: slower, for long runs (diffusers: <c>use_ema_warmup</c>).</summary>
public sealed record PowerEmaWarmup : EmaWarmup
{
    /// <summary>γ, updates by which time is measured. Default 1.</summary>
    public double Gamma { get; init; } = 1;

    /// <summary>p; 2/3 reaches a decay of 0.999 after 31,600 updates, 3/4 after 10,000. Default 2/3.</summary>
    public double Power { get; init; } = 2.0 / 3;

    /// <inheritdoc/>
    public override double Decay(int updates) => 1 - Math.Pow(1 + (updates / Gamma), -Power);

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (!(Gamma > 0 && double.IsFinite(Gamma))) yield return Problem(Gamma, "γ must be positive", "1 is customary");
        if (!(Power > 0 && double.IsFinite(Power))) yield return Problem(Power, "the power must be positive", "2/3 is customary");
    }
}

/// <summary>
/// A moving average of what is trained, kept in float32: e ← e·d + θ·(1 − d) after an update. Samples, validation and saved files use it in
/// the place of the weights, which jump about it.
/// </summary>
/// <remarks>
/// As diffusers' <c>EMAModel</c>, with its formulas of the decay d; its first update takes the weights as they are. Polyak and Juditsky,
/// Acceleration of stochastic approximation by averaging, 1992.
/// </remarks>
public sealed record EmaOptions : OptionsBase
{
    /// <summary>The largest decay, in [0, 1). Default 0.9999.</summary>
    public double Decay { get; init; } = 0.9999;

    /// <summary>The smallest decay, from the second update on, in [0, 1). Default 0.</summary>
    public double LeastDecay { get; init; }

    /// <summary>How the decay grows; null uses <see cref="Decay"/> throughout. Default <see cref="PlainEmaWarmup"/>.</summary>
    public EmaWarmup? Warmup { get; init; } = new PlainEmaWarmup();

    /// <summary>Steps before averaging begins; until then the average is the weights themselves. Default 0.</summary>
    public int UpdateAfterStep { get; init; }

    /// <summary>The average is updated after every so many steps. Default 1.</summary>
    public int EveryNSteps { get; init; } = 1;

    /// <summary>Whether the average lies in host memory: no memory of the GPU, and a copy of all weights to the host at each update.
    /// Default false.</summary>
    public bool OnHost { get; init; }

    /// <summary>Whether the weights themselves are saved too: then those have the usual name, and the average is <c>frog-ema</c>. Default
    /// false: the average is saved under the usual name.</summary>
    public bool SaveBoth { get; init; }

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (Decay is not (>= 0 and < 1)) yield return Problem(Decay, "the decay must lie in [0, 1)", "0.9999 is customary");
        if (!(LeastDecay >= 0 && LeastDecay <= Decay))
            yield return Problem(LeastDecay, $"it must lie between 0 and {nameof(Decay)}", "leave it unset");
        if (UpdateAfterStep < 0) yield return Problem(UpdateAfterStep, "steps are counted from 0", "0 averages from the beginning");
        if (EveryNSteps < 1) yield return Problem(EveryNSteps, "there is at least one step between updates", "1 is customary");
        foreach (var problem in Warmup?.Validate() ?? []) yield return problem;
    }

    /// <summary>The decay d of an update.</summary>
    /// <param name="updates">Updates of the average done before: 0 for the first, which takes the weights as they are.</param>
    /// <returns>In [0, 1).</returns>
    public double DecayOf(int updates) =>
        updates < 1 ? 0 : Math.Max(LeastDecay, Math.Min(Decay, Warmup?.Decay(updates) ?? Decay));
}
