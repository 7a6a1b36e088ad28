namespace StableTune;

/// <summary>
/// What all runs of a host share, as a section of its configuration says it; what a run says itself goes before it. Everything is optional.
/// </summary>
/// <example><code>
/// "StableTune": { "Model": "models/sd15", "Device": "cuda:0", "Precision": "BFloat16", "CacheDirectory": "/var/cache/stabletune" }
/// </code></example>
public sealed class StableTuneOptions
{
    /// <summary>The base model: a file, a folder, or a name on the hub.</summary>
    public string? Model { get; set; }

    /// <summary>Another VAE than the model's own.</summary>
    public string? Vae { get; set; }

    /// <summary>Where runs take place: "cpu", "cuda:0", "mps".</summary>
    public string? Device { get; set; }

    /// <summary>Float32, or BFloat16 or Float16 for products in that format with trained weights in float32.</summary>
    public NumberFormat? Precision { get; set; }

    /// <summary>The seed of runs.</summary>
    public long? Seed { get; set; }

    /// <summary>The learning rate.</summary>
    public double? LearningRate { get; set; }

    /// <summary>Threads that read and prepare images.</summary>
    public int? Workers { get; set; }

    /// <summary>Where latents and text encoder outputs are kept from run to run.</summary>
    public string? CacheDirectory { get; set; }

    /// <summary>Whether activations are computed again in the backward pass: less memory, more time.</summary>
    public bool? GradientCheckpointing { get; set; }

    internal void ApplyTo(TrainerBuilder builder)
    {
        if (Model is { } model) builder.WithModel(model);
        if (Vae is { } vae) builder.WithVae(vae);
        if (Device is { } device) builder.On(device);
        if (Precision is { } format) builder.WithPrecision(Policy(format));
        if (Seed is { } seed) builder.WithSeed(seed);
        if (LearningRate is { } rate) builder.WithLearningRate(rate);
        if (Workers is { } workers) builder.WithWorkers(workers);
        if (CacheDirectory is { } folder) builder.WithCache(cache => cache with { Directory = folder, LatentsToDisk = true });
        if (GradientCheckpointing is { } on) builder.WithGradientCheckpointing(on);
    }

    private static PrecisionPolicy Policy(NumberFormat format) => format switch
    {
        NumberFormat.Float32 => PrecisionPolicy.Float32,
        NumberFormat.BFloat16 => PrecisionPolicy.BFloat16,
        NumberFormat.Float16 => PrecisionPolicy.Float16,
        _ => throw new InvalidOptionsException(
            [new OptionProblem($"{nameof(StableTuneOptions)}.{nameof(Precision)}", format, "runs compute in Float32, BFloat16 or Float16",
            "give one of the three")]),
    };
}
