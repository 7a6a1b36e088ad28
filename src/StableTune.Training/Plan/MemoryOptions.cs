using StableTune.Models;

namespace StableTune;

/// <summary>What a run does to need less memory, besides <see cref="TrainingPlan.GradientCheckpointing"/> and
/// <see cref="TrainingPlan.Precision"/>; and how it uses processors.</summary>
public sealed record MemoryOptions : OptionsBase
{
    /// <summary>
    /// How attention is computed in UNet, VAE and ControlNet. All forms agree up to rounding. Default
    /// <see cref="AttentionBackend.Automatic"/>, libtorch's fused kernel (sd-scripts: <c>xformers</c>, <c>sdpa</c>);
    /// <see cref="AttentionBackend.Chunked"/> is <c>mem_eff_attn</c>.
    /// </summary>
    public AttentionBackend Attention { get; init; } = AttentionBackend.Automatic;

    /// <summary>Holds frozen base weights in fewer bits; null, the default, in the type of <see cref="PrecisionPolicy.Weights"/>.</summary>
    public QuantizedWeightsOptions? QuantizedWeights { get; init; }

    /// <summary>Merges tokens before attention in training (sd-trainer: <c>tome_ratio</c>), not in samples and validation; null, the
    /// default, for none.</summary>
    public TokenMergingOptions? TokenMerging { get; init; }

    /// <summary>
    /// Whether the inputs of checkpointed blocks wait for the backward pass in host memory (sd-scripts: <c>cpu_offload_checkpointing</c>);
    /// needs gradient checkpointing. On the CPU they lie there anyway. Default false.
    /// </summary>
    public bool OffloadCheckpoints { get; init; }

    /// <summary>
    /// How many of the UNet's last resnets and transformer blocks have their frozen weights in host memory and copy them to the device when
    /// they run (<c>blocks_to_swap</c>); needs gradient checkpointing, and a UNet that is not trained itself. On the CPU they lie there
    /// anyway. Default 0.
    /// </summary>
    public int BlocksToSwap { get; init; }

    /// <summary>Whether the VAE takes pictures one by one, which bounds its memory by that of the largest picture
    /// (<c>vae_slicing</c>). Default false.</summary>
    public bool VaeSlicing { get; init; }

    /// <summary>Has the VAE encode and decode large pictures in tiles (<c>vae_tiling</c>); null, the default, as a whole.</summary>
    public VaeTilingOptions? VaeTiling { get; init; }

    /// <summary>
    /// Whether VAE and text encoders stay on the device when steps do not need them (sd-scripts: <c>highvram</c>). Otherwise they wait in
    /// host memory and come back for samples; those that nothing needs any more are freed in any case. On the CPU they stay where they are.
    /// Default false.
    /// </summary>
    public bool KeepPartsOnDevice { get; init; }

    /// <summary>
    /// Threads of libtorch's operators on the CPU during the run (<c>num_cpu_threads_per_process</c>): 1 to 2 are enough beside a GPU.
    /// The setting is the process'. Null, the default, leaves it.
    /// </summary>
    public int? CpuThreads { get; init; }

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (BlocksToSwap < 0) yield return Problem(BlocksToSwap, "the number of blocks must not be negative", "0 swaps none");
        if (CpuThreads < 1) yield return Problem(CpuThreads, "at least one thread computes", "leave it unset for all processors");
        foreach (var problem in (QuantizedWeights?.Validate() ?? []).Concat(TokenMerging?.Validate() ?? [])
            .Concat(VaeTiling?.Validate() ?? []))
            yield return problem;
    }
}
