namespace StableTune.Configuration;

/// <summary>Number formats and memory.</summary>
internal static class PrecisionArguments
{
    private const string Fused = "libtorch's fused kernel is used in any case";
    private const string DeepMemory = "StableTune has no such way to save memory yet";

    public static OptionSection Section { get; } = new("Precision and memory",
    [
        new("mixed_precision", OptionKind.Choice("no", "fp16", "bf16"), "Number format of the matrix products") { Default = "no" },
        new("full_fp16", OptionKind.Flag, "Trained weights and gradients in float16 too; needs mixed_precision fp16"),
        new("full_bf16", OptionKind.Flag, "Trained weights and gradients in bfloat16 too; needs mixed_precision bf16"),
        new("fp8_base", OptionKind.Flag, "Frozen weights in 8 bits; needs mixed precision"),
        new("fp8_base_unet", OptionKind.Flag, "The same for the UNet alone; needs mixed precision"),
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
        new("cpu_offload_checkpointing", OptionKind.Flag, "Keep activations in host memory") { Refusal = DeepMemory },
        new("xformers", OptionKind.Flag, "Memory-efficient attention")
        {
            NoEffect = Fused, Aliases = ["diffusers_xformers", "use_xformers"],
        },
        new("sdpa", OptionKind.Flag, "torch's fused attention") { NoEffect = Fused },
        new("mem_eff_attn", OptionKind.Flag, "Attention in chunks") { NoEffect = Fused },
        new("highvram", OptionKind.Flag, "Do not empty caches between phases") { NoEffect = "they are not emptied" },
        new("blocks_to_swap", OptionKind.Integer, "Blocks that are kept in host memory") { Refusal = DeepMemory },
        new("torch_compile", OptionKind.Flag, "Compile the network") { NoEffect = "libtorch has no compiler" },
        new("dynamo_backend", OptionKind.Text, "The compiler's backend") { Default = "inductor", NoEffect = "libtorch has no compiler" },
        new("num_cpu_threads_per_process", OptionKind.Integer, "Threads of the processor's operators")
        {
            NoEffect = "the process has its own: set OMP_NUM_THREADS before it starts",
        },
        new("tome_ratio", OptionKind.Number, "Part of the tokens that are merged (sd-trainer)") { Refusal = "tokens are not merged" },
        new("vae_slicing", OptionKind.Flag, "Encode image by image") { NoEffect = "vae_batch_size is 1 unless it is set" },
        new("vae_tiling", OptionKind.Flag, "Encode in tiles") { NoEffect = "images are encoded as a whole, there are no tiles" },
        new("device", OptionKind.Text, "Where the run takes place: cpu, cuda, cuda:0, mps; chosen by itself unless given"),
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
            if (writer.Plan.Device is { } device) writer.Write("device", device.ToString());
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
            else values.Fault(flag, "weights in 8 bits are not there yet", "leave it out");
        }

        var type = precision switch { "fp16" => ScalarType.Float16, "bf16" => ScalarType.BFloat16, _ => ScalarType.Float32 };
        var trained = values.Flag("full_fp16") || values.Flag("full_bf16") ? type : ScalarType.Float32;
        draft.Builder.WithPrecision(new PrecisionPolicy(type, trained, type));
        if (values.Text("device") is { } device)
            values.Try("device", "name one that there is", () => draft.Builder.On(device));
    }
}
