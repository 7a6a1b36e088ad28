using StableTune.Models;
using StableTune.Torch;

namespace StableTune.Configuration;

/// <summary>Number formats and memory.</summary>
internal static class PrecisionArguments
{
    public static OptionSection Section { get; } = new("Precision and memory",
    [
        new("mixed_precision", OptionKind.Choice("no", "fp16", "bf16"), "Number format of the matrix products") { Default = "no" },
        new("full_fp16", OptionKind.Flag, "Trained weights and gradients in float16 too; needs mixed_precision fp16"),
        new("full_bf16", OptionKind.Flag, "Trained weights and gradients in bfloat16 too; needs mixed_precision bf16"),
        new("fp8_base", OptionKind.Flag, "Frozen weights in 8 bits; needs mixed precision"),
        new("fp8_base_unet", OptionKind.Flag, "The same for the UNet alone; needs mixed precision"),
        new("quantize_weights", OptionKind.Choice("fp8", "int8", "nf4"),
            "Frozen weights in 8 or 4 bits, with any precision (StableTune's own)"),
        new("no_half_vae", OptionKind.Flag, "The VAE in float32, whatever the other weights have")
        {
            Apply = (builder, value) => builder.Change(plan => (bool)value
                ? plan with { Model = plan.Model with { VaeType = ScalarType.Float32 } } : plan),
            Write = plan => plan.Model.VaeType == ScalarType.Float32,
        },
        new("gradient_checkpointing", OptionKind.Flag, "Compute activations again in the backward pass: less memory, more time")
        {
            Apply = (builder, value) => builder.WithGradientCheckpointing((bool)value), Write = plan => plan.GradientCheckpointing,
        },
        new("cpu_offload_checkpointing", OptionKind.Flag, "Keep the inputs of checkpointed blocks in host memory")
        {
            Apply = (builder, value) => builder.WithOffloadedCheckpoints((bool)value), Write = plan => plan.Memory.OffloadCheckpoints,
        },
        new("xformers", OptionKind.Flag, "Memory-efficient attention: libtorch's fused kernel, as sdpa")
        {
            Aliases = ["diffusers_xformers", "use_xformers"],
        },
        new("sdpa", OptionKind.Flag, "torch's fused attention, the default"),
        new("mem_eff_attn", OptionKind.Flag, "Attention in chunks; goes before xformers and sdpa"),
        new("highvram", OptionKind.Flag, "Leave VAE and text encoders on the device while steps do not need them")
        {
            Apply = (builder, value) => builder.WithMemory(memory => memory with { KeepPartsOnDevice = (bool)value }),
            Write = plan => plan.Memory.KeepPartsOnDevice,
        },
        new("blocks_to_swap", OptionKind.Integer, "Blocks of the UNet that are kept in host memory; needs gradient_checkpointing")
        {
            Default = 0, Apply = (builder, value) => builder.WithBlockSwap((int)value), Write = plan => plan.Memory.BlocksToSwap,
        },
        new("torch_compile", OptionKind.Flag, "Compile the network") { NoEffect = "libtorch has no compiler" },
        new("dynamo_backend", OptionKind.Text, "The compiler's backend") { Default = "inductor", NoEffect = "libtorch has no compiler" },
        new("num_cpu_threads_per_process", OptionKind.Integer, "Threads of the processor's operators")
        {
            Apply = (builder, value) => builder.WithMemory(memory => memory with { CpuThreads = (int)value }),
            Write = plan => plan.Memory.CpuThreads,
        },
        new("tome_ratio", OptionKind.Number, "Part of the tokens that are merged before attention (sd-trainer)")
        {
            Apply = (builder, value) => builder.WithMemory(memory => memory with
            {
                TokenMerging = (double)value == 0 ? null : new TokenMergingOptions { Ratio = (double)value },
            }),
            Write = plan => plan.Memory.TokenMerging?.Ratio,
        },
        new("vae_slicing", OptionKind.Flag, "Encode image by image, whatever vae_batch_size is")
        {
            Apply = (builder, value) => builder.WithMemory(memory => memory with { VaeSlicing = (bool)value }),
            Write = plan => plan.Memory.VaeSlicing,
        },
        new("vae_tiling", OptionKind.Flag, "Encode and decode large pictures in tiles")
        {
            Apply = (builder, value) => builder.WithMemory(memory => memory with
            {
                VaeTiling = (bool)value ? new VaeTilingOptions() : null,
            }),
            Write = plan => plan.Memory.VaeTiling is not null,
        },
        new("device", OptionKind.Text,
            "Where the run takes place: cpu, cuda, cuda:0, mps, several with commas; chosen by itself unless given"),
        new("deterministic", OptionKind.Flag, "Give the same bits each time on a GPU too, more slowly")
        {
            Apply = (builder, value) => builder.WithDeterminism((bool)value), Write = plan => plan.Deterministic,
        },
    ], Assemble)
    {
        Write = writer =>
        {
            var policy = writer.Plan.Precision;
            writer.Write("mixed_precision", policy.ReferenceName);
            if (policy.Trainable is ScalarType.Float16) writer.Write("full_fp16", true);
            if (policy.Trainable is ScalarType.BFloat16) writer.Write("full_bf16", true);
            WriteMemory(writer);
            if (writer.Plan.Distributed.Devices is { IsEmpty: false } devices) writer.Write("device", string.Join(',', devices));
            else if (writer.Plan.Device is { } device) writer.Write("device", device.ToString());
        },
    };

    private static void Assemble(RunDraft draft)
    {
        var values = draft.Values;
        var precision = values.Text("mixed_precision")!;
        foreach (var (flag, needed) in new[] { ("full_fp16", "fp16"), ("full_bf16", "bf16") })
            if (values.Flag(flag) && precision != needed)
                values.Fault(flag, $"it needs mixed_precision {needed}, which is {precision}", $"set mixed_precision to {needed}");
        foreach (var flag in new[] { "fp8_base", "fp8_base_unet" })
        {
            if (!values.Flag(flag)) continue;
            if (precision == "no") values.Fault(flag, "it needs mixed precision", "set mixed_precision to bf16");
        }

        AssembleMemory(draft);

        var type = precision switch { "fp16" => ScalarType.Float16, "bf16" => ScalarType.BFloat16, _ => ScalarType.Float32 };
        var trained = values.Flag("full_fp16") || values.Flag("full_bf16") ? type : ScalarType.Float32;
        draft.Builder.WithPrecision(new PrecisionPolicy(type, trained, type));
        if (values.Text("device") is { } device)
            values.Try("device", "name one that there is", () => draft.Builder.On(device));
    }

    private static void AssembleMemory(RunDraft draft)
    {
        var (values, builder) = (draft.Values, draft.Builder);
        // As in sd-scripts, the one that names the UNet wins.
        var parts = values.Flag("fp8_base_unet") ? ModelParts.UNet : ModelParts.UNet | ModelParts.TextEncoder;
        if (values.Flag("fp8_base") || values.Flag("fp8_base_unet")) builder.WithQuantizedWeights(WeightQuantization.Float8, parts);
        if (values.Text("quantize_weights") is { } name)
        {
            if (values.Flag("fp8_base") || values.Flag("fp8_base_unet"))
                values.Fault("quantize_weights", "fp8_base says how weights are held too", "give one of the two");
            builder.WithQuantizedWeights(WeightQuantization.Catalog.Create(name));
        }

        var (chunked, fused) = (values.Flag("mem_eff_attn"), values.Flag("xformers") | values.Flag("sdpa"));
        if (chunked || fused) builder.WithAttention(chunked ? AttentionBackend.Chunked : AttentionBackend.Fused);
    }

    private static void WriteMemory(RunWriter writer)
    {
        var memory = writer.Plan.Memory;
        if (memory.Attention == AttentionBackend.Chunked) writer.Write("mem_eff_attn", true);
        else if (memory.Attention == AttentionBackend.Fused) writer.Write("sdpa", true);
        else if (memory.Attention != AttentionBackend.Automatic)
            writer.Refuse($"{nameof(MemoryOptions)}.{nameof(MemoryOptions.Attention)}", memory.Attention);
        if (memory.QuantizedWeights is not { } weights) return;
        if (weights.Quantization != WeightQuantization.Float8 || writer.Plan.Precision.Compute == ScalarType.Float32)
            writer.Write("quantize_weights", weights.Quantization.Name);
        else writer.Write(weights.Parts == ModelParts.UNet ? "fp8_base_unet" : "fp8_base", true);
    }
}
