namespace StableTune.Samplers;

/// <summary>
/// DPM-Solver++ as a singlestep method, known as "DPM++ 2S": steps in pairs, of which the second starts again where the first did, with the
/// line through both predictions. Deterministic, as many model calls as steps.
/// </summary>
/// <remarks>
/// Lu et al., DPM-Solver++, arXiv:2211.01095, algorithm 1. With latents x₀ + σ ε the papers' α is 1 and their λ is -ln σ. The last step,
/// which goes to the image, is of first order.
/// </remarks>
public sealed record DpmSolverSinglestepSampler : SigmaSampler
{
    private const string Starts = "latents";

    /// <inheritdoc/>
    public override string Name => UseKarrasSigmas ? "DPM++ 2S Karras" : "DPM++ 2S";

    /// <inheritdoc/>
    protected override bool UsesWholeTimes => true;

    /// <inheritdoc/>
    protected override Tensor Step(SigmaStep step)
    {
        ArgumentNullException.ThrowIfNull(step);
        var (predictions, starts) = (step.History, step.HistoryOf(Starts));
        predictions.Add(step.Denoised(), keep: 2);
        var isSecond = step.Index % 2 == 1 && step.Index < step.Count - 1;
        if (!isSecond)
        {
            starts.Add(step.Latents, keep: 1);
            return Moved(step.Latents, predictions[0], step.To / step.From);
        }

        double start = step.Sigmas[step.Index - 1];
        double whole = Math.Log(start / step.To), first = Math.Log(start / step.From);
        var line = predictions[1] + (predictions[0] - predictions[1]) * (whole / first / 2);
        return Moved(starts[0], line, step.To / start);
    }

    private static Tensor Moved(Tensor latents, Tensor predicted, double share) => latents * share + predicted * (1 - share);
}
