using StableTune.Models;

namespace StableTune.Checkpoints;

/// <summary>What is known of a checkpoint's architecture beside its shapes: options first, then a folder of configurations.</summary>
internal sealed class CheckpointConfiguration(SingleFileOptions options)
{
    /// <summary>The UNet's architecture; null when it is to be found out.</summary>
    public UNetOptions? UNet => options.UNet ?? Read("unet", "config.json", ArchitectureReader.UNet);

    /// <summary>The VAE's architecture; null when it is to be found out.</summary>
    public VaeOptions? Vae => options.Vae ?? Read("vae", "config.json", ArchitectureReader.Vae);

    /// <summary>The text encoder's architecture; null when it is to be found out.</summary>
    public ClipTextOptions? TextEncoder => options.TextEncoder ?? Read("text_encoder", "config.json", ArchitectureReader.ClipText);

    /// <summary>The second text encoder's architecture; null when it is to be found out.</summary>
    public ClipTextOptions? TextEncoder2 => options.TextEncoder2 ?? Read("text_encoder_2", "config.json", ArchitectureReader.ClipText);

    /// <summary>Noise schedule and prediction; null when they are to be found out.</summary>
    public SchedulerOptions? Scheduler => Read("scheduler", SchedulerFile, ArchitectureReader.Scheduler);

    /// <summary>The scheduler's file in its folder.</summary>
    public const string SchedulerFile = "scheduler_config.json";

    private T? Read<T>(string part, string file, Func<ConfigFile, T> read) where T : class =>
        options.ConfigurationPath is { } folder && Path.Combine(folder, part, file) is var path
            && File.Exists(path) ? read(new ConfigFile(path)) : null;
}
