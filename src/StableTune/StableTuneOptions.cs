namespace StableTune;

/// <summary>
/// What all runs of a host share, as a section of its configuration says it; what a run says itself goes before it. Everything is optional.
/// </summary>
/// <example><code>
/// "StableTune": { "Model": "models/sd15", "Device": "cuda:0", "Precision": "BFloat16", "CacheDirectory": "/var/cache/stabletune" }
/// </code></example>
public sealed class StableTuneOptions
{
    private const string OrNone = "name one, or leave the option out";

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

    /// <summary>What is wrong with these options; empty when they can work. A host that starts is told all of it.</summary>
    public IEnumerable<OptionProblem> Validate()
    {
        if (Model is { } model && string.IsNullOrWhiteSpace(model))
            yield return Problem(nameof(Model), model, "a model is a file, a folder, or a name on the hub", OrNone);
        if (Vae is { } vae && string.IsNullOrWhiteSpace(vae))
            yield return Problem(nameof(Vae), vae, "a VAE is a file, a folder, or a name on the hub", OrNone);
        if (Device is { } device && !IsDevice(device))
            yield return Problem(nameof(Device), device, "there is no such device", "\"cpu\", \"cuda\", \"cuda:0\" and \"mps\" are known");
        if (Precision is { } format and not (NumberFormat.Float32 or NumberFormat.BFloat16 or NumberFormat.Float16))
            yield return Problem(nameof(Precision), format, "runs compute in Float32, BFloat16 or Float16", "give one of the three");
        if (LearningRate is { } rate && !(rate >= 0 && double.IsFinite(rate)))
            yield return Problem(nameof(LearningRate), rate, "a rate is a number from 0 on", "1e-4 is customary for LoRA");
        if (Workers is < 0)
            yield return Problem(nameof(Workers), Workers, "the number of threads must not be negative", "0 prepares images in the step");
        if (CacheDirectory is { } folder && string.IsNullOrWhiteSpace(folder))
            yield return Problem(nameof(CacheDirectory), folder, "a cache needs a folder", OrNone);
    }

    private static OptionProblem Problem(string name, object? value, string rule, string remedy) =>
        new($"{nameof(StableTuneOptions)}.{name}", value, rule, remedy);

    private static bool IsDevice(string device)
    {
        try
        {
            _ = new TrainerBuilder().On(device);
            return true;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }

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
        NumberFormat.BFloat16 => PrecisionPolicy.BFloat16,
        NumberFormat.Float16 => PrecisionPolicy.Float16,
        _ => PrecisionPolicy.Float32,
    };
}
