namespace StableTune.Samplers;

/// <summary>
/// DPM-Solver++ as a multistep method, known as "DPM++ 2M": integrates the linear part of the probability-flow equation exactly, and the
/// predicted image as a line through those of two steps. Deterministic unless <see cref="AddsNoise"/> is set, as many model calls as steps.
/// </summary>
/// <remarks>
/// Lu et al., DPM-Solver++, arXiv:2211.01095, algorithm 2, and DPM-Solver, arXiv:2206.00927 (<see cref="IntegratesNoise"/>). With latents
/// x₀ + σ ε the papers' α is 1 and their λ is -ln σ. A step to σ = 0, where λ is infinite, is of first order.
/// </remarks>
public sealed record DpmSolverMultistepSampler : SigmaSampler
{
    /// <inheritdoc/>
    public override string Name =>
        $"{(IntegratesNoise ? "DPM" : "DPM++")} {Order}M{(AddsNoise ? " SDE" : "")}{(UseKarrasSigmas ? " Karras" : "")}";

    /// <summary>How many predictions a step uses, 1 or 2: its own, and that of the step before. Default 2.</summary>
    public int Order { get; init; } = 2;

    /// <summary>
    /// Whether the predicted noise is integrated (<c>dpmsolver</c>) instead of the predicted image (<c>dpmsolver++</c>), which is more
    /// stable when guided. Default no.
    /// </summary>
    public bool IntegratesNoise { get; init; }

    /// <summary>
    /// Whether the stochastic equation is integrated, which adds noise in each step ("DPM++ 2M SDE", <c>sde-dpmsolver++</c>): pictures
    /// change with the number of steps. Default no.
    /// </summary>
    public bool AddsNoise { get; init; }

    /// <summary>Whether the last step of a walk of fewer than 15 steps is of first order (<c>lower_order_final</c>). Default yes.</summary>
    public bool LowersOrderAtEnd { get; init; } = true;

    /// <summary>
    /// Whether the last step goes to σ = 0, the image itself, or to the schedule's least level (<c>final_sigmas_type</c>), which leaves
    /// noise in the picture. Default yes.
    /// </summary>
    public bool EndsAtImage { get; init; } = true;

    /// <inheritdoc/>
    protected override bool UsesWholeTimes => true;

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        foreach (var problem in base.Validate()) yield return problem;
        if (Order is not (1 or 2)) yield return Problem(Order, "the order must be 1 or 2", "2 is customary");
        if (AddsNoise && IntegratesNoise)
            yield return Problem(AddsNoise, "noise is added where the predicted image is integrated", "set IntegratesNoise to false");
    }

    /// <inheritdoc/>
    protected override double LastSigma(SigmaTable table)
    {
        ArgumentNullException.ThrowIfNull(table);
        return EndsAtImage ? 0 : table.Least;
    }

    /// <inheritdoc/>
    protected override Tensor Step(SigmaStep step)
    {
        ArgumentNullException.ThrowIfNull(step);
        double sigma = step.From, next = step.To;
        var denoised = step.Denoised();
        var (history, predicted) = (step.History, IntegratesNoise ? (step.Latents - denoised) / sigma : denoised);
        history.Add(predicted, keep: Order);
        if (history.Count == 2 && !IsLowered(step))
        {
            // The line through both predictions, in the middle of this step as λ counts.
            double h = Math.Log(sigma / next), before = Math.Log(step.Sigmas[step.Index - 1] / sigma);
            predicted += (predicted - history[1]) * (h / before / 2);
        }
        if (AddsNoise)
        {
            var left = next / sigma * (next / sigma);                 // e^-2h: what is not fresh of the variance
            return step.Latents * left + predicted * (1 - left) + step.Noise() * (next * Math.Sqrt(1 - left));
        }

        return IntegratesNoise
            ? step.Latents + predicted * (next - sigma)
            : step.Latents * (next / sigma) + predicted * (1 - next / sigma);
    }

    private bool IsLowered(SigmaStep step) => step.To == 0 || LowersOrderAtEnd && step.Count < 15 && step.Index == step.Count - 1;
}
