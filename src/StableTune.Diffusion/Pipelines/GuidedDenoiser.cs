using StableTune.Models;

namespace StableTune.Diffusion;

/// <summary>A model with its prompts, as the sampler sees it: ε_u + g (ε_c - ε_u), all calls of a step in one batch.</summary>
/// <remarks>Ho and Salimans, Classifier-free diffusion guidance, arXiv:2207.12598. The batch holds the negative prompt, the positive one,
/// and the regions'.</remarks>
/// <param name="model">The model.</param>
/// <param name="conditions">Of negative, positive and regions' prompts, [2 + R, ...]; without the negative one when not guided.</param>
/// <param name="guidance">g.</param>
internal sealed class GuidedDenoiser(ITextToImageModel model, UNetConditions conditions, double guidance) : IDisposable
{
    private (SamplingStage Stage, IDisposable? Setting)? _entered;

    /// <summary>φ: how far the guided prediction is brought back to the deviation of the conditional one, 0 to 1.</summary>
    /// <remarks>Lin et al., Common diffusion noise schedules and sample steps are flawed, arXiv:2305.08891, section 3.4.</remarks>
    public double Rescale { get; init; }

    /// <summary>How much each place takes of the positive prompt and of each region, [R + 1, 1, h, w]; null without regions.</summary>
    public Tensor? Regions { get; init; }

    /// <summary>Parts of the timesteps that are drawn otherwise, with the models that draw them; the first that fits counts.</summary>
    public IReadOnlyList<(SamplingStage Stage, ITextToImageModel Model)> Stages { get; init; } = [];

    /// <summary>Whether a guidance needs the unconditional call: only above 1, as in the reference.</summary>
    internal static bool IsGuided(double guidance) => guidance > 1;

    /// <summary>The guided prediction for latents [B, C, h, w].</summary>
    internal Tensor Predict(Tensor input, double timestep)
    {
        using var scope = NewDisposeScope();
        var (count, prompts) = (input.shape[0], conditions.Context.shape[0]);
        var all = ModelAt(timestep).Predict(prompts == 1 ? input : cat([.. Enumerable.Repeat(input, (int)prompts)], 0),
            Times(timestep, prompts * count, input.device), Each(count));
        if (!IsGuided(guidance)) return Conditional(all, 0).MoveToOuterDisposeScope();
        var (unconditional, conditional) = (all.narrow(0, 0, count), Conditional(all, count));
        var guided = unconditional + (conditional - unconditional) * guidance;
        return (Rescale > 0 ? Rescaled(guided, conditional) : guided).MoveToOuterDisposeScope();
    }

    /// <summary>Leaves the stage that the walk is in.</summary>
    public void Dispose()
    {
        _entered?.Setting?.Dispose();
        _entered = null;
    }

    /// <summary>The prediction of the positive prompt, and of the regions where there are some.</summary>
    /// <param name="all">Predictions of all prompts, [P B, C, h, w].</param>
    /// <param name="first">Where those of the positive prompt begin.</param>
    private Tensor Conditional(Tensor all, long first)
    {
        if (Regions is not { } weights) return all.narrow(0, first, all.shape[0] - first);
        var own = all.narrow(0, first, all.shape[0] - first);
        long[] each = [weights.shape[0], -1, .. own.shape[1..]];
        return (own.view(each) * weights.unsqueeze(1)).sum(0L);                    // [B, C, h, w]
    }

    private Tensor Rescaled(Tensor guided, Tensor conditional)
    {
        long[] places = [1, 2, 3];
        var share = conditional.std(places, keepdim: true) / guided.std(places, keepdim: true).clamp_min(1e-12);
        return guided * (share * Rescale + (1 - Rescale));
    }

    private ITextToImageModel ModelAt(double timestep)
    {
        var (stage, itsModel) = Stages.FirstOrDefault(stage => stage.Stage.Holds(timestep));
        if (_entered?.Stage != stage || (stage is null && _entered is not null))
        {
            Dispose();
            if (stage is not null) _entered = (stage, stage.Enter?.Invoke());
        }

        return itsModel ?? model;
    }

    /// <summary>The conditions of each prompt for every picture. The picture to paint into is one for all, and stays so.</summary>
    private UNetConditions Each(long count) => conditions with
    {
        Context = conditions.Context.repeat_interleave(count, 0),
        Added = conditions.Added is var (pooled, sizes)
            ? new AddedConditions(pooled.repeat_interleave(count, 0), sizes.repeat_interleave(count, 0)) : null,
    };

    /// <summary>The time of every sample, [B]: int64 as in training where it is whole, else float32.</summary>
    private static Tensor Times(double timestep, long count, Device device) => timestep == Math.Floor(timestep)
        ? full([count], (long)timestep, dtype: ScalarType.Int64, device: device)
        : full([count], timestep, dtype: ScalarType.Float32, device: device);
}
