using StableTune.Models;
using StableTune.Torch;

namespace StableTune;

public sealed partial class TrainerBuilder
{
    /// <summary>Changes options of memory.</summary>
    /// <param name="change">For instance <c>memory => memory with { VaeSlicing = true }</c>.</param>
    public TrainerBuilder WithMemory(Func<MemoryOptions, MemoryOptions> change) => Set(_plan with { Memory = Given(change)(_plan.Memory) });

    /// <summary>How attention is computed. Default <see cref="AttentionBackend.Automatic"/>.</summary>
    /// <param name="backend"><see cref="AttentionBackend.Chunked"/> holds few scores at a time; all forms agree up to rounding.</param>
    public TrainerBuilder WithAttention(AttentionBackend backend) => WithMemory(memory => memory with { Attention = Given(backend) });

    /// <summary>Holds frozen base weights in fewer bits during training (sd-scripts: <c>fp8_base</c>).</summary>
    /// <param name="quantization"><see cref="WeightQuantization.Float8"/>, <see cref="WeightQuantization.Int8"/>,
    /// <see cref="WeightQuantization.NormalFloat4"/>, or one of your own.</param>
    /// <param name="parts">Of which parts. Default UNet and text encoders.</param>
    public TrainerBuilder WithQuantizedWeights(
        WeightQuantization quantization, ModelParts parts = ModelParts.UNet | ModelParts.TextEncoder) => WithMemory(memory => memory with
        {
            QuantizedWeights = new QuantizedWeightsOptions { Quantization = Given(quantization), Parts = parts },
        });

    /// <summary>Merges tokens before attention in training, where the feature map is largest (sd-trainer: <c>tome_ratio</c>).</summary>
    /// <param name="ratio">The part of the tokens that is merged away. Default 0.5.</param>
    public TrainerBuilder WithTokenMerging(double ratio = 0.5) => WithTokenMerging(new TokenMergingOptions { Ratio = ratio });

    /// <summary>Merges tokens before attention in training.</summary>
    /// <param name="options">How, and where.</param>
    public TrainerBuilder WithTokenMerging(TokenMergingOptions options) =>
        WithMemory(memory => memory with { TokenMerging = Given(options) });

    /// <summary>Keeps the frozen weights of the UNet's last blocks in host memory, and copies each to the device when it runs
    /// (<c>blocks_to_swap</c>). Needs gradient checkpointing.</summary>
    /// <param name="count">How many resnets and transformer blocks; SD 1.x has 38 in all.</param>
    public TrainerBuilder WithBlockSwap(int count) => WithMemory(memory => memory with { BlocksToSwap = count });

    /// <summary>Keeps the inputs of checkpointed blocks in host memory until the backward pass. Needs gradient checkpointing.</summary>
    public TrainerBuilder WithOffloadedCheckpoints(bool on = true) => WithMemory(memory => memory with { OffloadCheckpoints = on });

    /// <summary>What the run will need of memory; see <see cref="Trainer.EstimateMemory"/>.</summary>
    /// <exception cref="InvalidOptionsException">The options cannot work; the message lists every problem.</exception>
    public MemoryEstimate EstimateMemory() => Build().EstimateMemory();

    /// <summary>Has the VAE encode and decode large pictures in tiles.</summary>
    /// <param name="options">Size and overlap; null for 512 pixels and a quarter.</param>
    public TrainerBuilder WithVaeTiling(VaeTilingOptions? options = null) =>
        WithMemory(memory => memory with { VaeTiling = options ?? new VaeTilingOptions() });
}
