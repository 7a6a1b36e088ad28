namespace StableTune.Samplers;

/// <summary>
/// UniPC of second order: predicts as DPM-Solver++ 2M does, and corrects where it came from with the prediction that the next step makes
/// anyhow. Deterministic, as many model calls as steps; good with few.
/// </summary>
/// <remarks>
/// Zhao et al., UniPC, arXiv:2302.04867, with data prediction. With latents x₀ + σ ε the paper's α is 1 and its λ is -ln σ.
/// </remarks>
public sealed record UniPcSampler : SigmaSampler
{
    private const string Corrected = "latents";

    /// <inheritdoc/>
    public override string Name => UseKarrasSigmas ? "UniPC Karras" : "UniPC";

    /// <summary>How many predictions a step uses, 1 or 2. Default 2.</summary>
    public int Order { get; init; } = 2;

    /// <summary>Whether the paper's B(h) is h (<c>bh1</c>) instead of e^h - 1 (<c>bh2</c>, better with guidance). Default no.</summary>
    public bool UsesPlainStep { get; init; }

    /// <summary>Whether the last steps are of lower order (<c>lower_order_final</c>), which is steadier. Default yes.</summary>
    public bool LowersOrderAtEnd { get; init; } = true;

    /// <summary>
    /// Whether the last step goes to σ = 0, the image itself, or to the schedule's least level (<c>final_sigmas_type</c>). Default yes.
    /// </summary>
    public bool EndsAtImage { get; init; } = true;

    /// <inheritdoc/>
    protected override bool UsesWholeTimes => true;

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        foreach (var problem in base.Validate()) yield return problem;
        if (Order is not (1 or 2)) yield return Problem(Order, "the order must be 1 or 2", "2 is customary");
        if (UsesPlainStep && EndsAtImage)
            yield return Problem(UsesPlainStep, "h is infinite in a step to the image", "set EndsAtImage to false too");
        if (!LowersOrderAtEnd && EndsAtImage)
            yield return Problem(LowersOrderAtEnd, "the step to the image is of first order", "set EndsAtImage to false too");
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
        var (predictions, starts) = (step.History, step.HistoryOf(Corrected));
        var predicted = step.Denoised();
        var latents = step.Index == 0 ? step.Latents : Correct(step, starts[0], predicted, OrderOf(step, step.Index - 1));
        predictions.Add(predicted, keep: 2);
        starts.Add(latents, keep: 1);
        return Predict(step, latents, OrderOf(step, step.Index));
    }

    private int OrderOf(SigmaStep step, int index) =>
        Math.Min(Math.Min(Order, index + 1), LowersOrderAtEnd ? step.Count - index : Order);

    /// <summary>UniP: from the corrected latents of this step to the next.</summary>
    private Tensor Predict(SigmaStep step, Tensor latents, int order)
    {
        var share = step.To / step.From;
        var moved = latents * share + step.History[0] * (1 - share);
        if (order == 1) return moved;
        var h = Math.Log(step.From / step.To);
        var before = Math.Log(step.From / step.Sigmas[step.Index - 1]) / h;            // r of the paper, negative
        return moved - (step.History[1] - step.History[0]) * (Scale(h) / before / 2);
    }

    /// <summary>UniC: the latents of this step again, from those of the step before and the prediction made here.</summary>
    private Tensor Correct(SigmaStep step, Tensor latents, Tensor predicted, int order)
    {
        double from = step.Sigmas[step.Index - 1], share = step.From / from;
        var last = step.History[0];
        var moved = latents * share + last * (1 - share);
        double h = Math.Log(from / step.From), scale = Scale(h);
        if (order == 1) return moved - (predicted - last) * (scale / 2);
        // φ of the paper, of -h.
        double phi2 = (share - 1) / -h - 1, phi3 = phi2 / -h - 0.5;
        var before = Math.Log(from / step.Sigmas[step.Index - 2]) / h;
        var (b1, b2) = (phi2 / scale, 2 * phi3 / scale);
        var earlier = (b1 - b2) / (1 - before);
        return moved - ((step.History[1] - last) * (earlier / before) + (predicted - last) * (b1 - earlier)) * scale;
    }

    /// <summary>B(-h): -h, or e^-h - 1.</summary>
    private double Scale(double h) => UsesPlainStep ? -h : Math.Exp(-h) - 1;
}
