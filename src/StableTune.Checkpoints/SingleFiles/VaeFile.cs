using StableTune.Formats;
using StableTune.Models;

namespace StableTune.Checkpoints;

/// <summary>
/// A VAE in a file of its own, or within a whole checkpoint: under LDM names with or without prefix, or under diffusers' names,
/// safetensors or torch.
/// Whatever else the file holds (<c>loss</c>, averages) is passed over. Opening reads headers only.
/// </summary>
public sealed class VaeFile : IDisposable
{
    // Where a VAE may lie, and under which names.
    private static readonly (string Prefix, VaeNames Names)[] Places =
    [
        (KeyMap.VaePrefix, VaeNames.Ldm), ("", VaeNames.Ldm), ("", VaeNames.Diffusers),
    ];

    private readonly ITensorFile _file;

    private VaeFile(ITensorFile file) => _file = file;

    /// <summary>The architecture.</summary>
    public required VaeOptions Options { get; init; }

    /// <summary>The tensors under diffusers' names and shapes, read straight from the file; of use as long as this object is.</summary>
    public required ITensorFile Weights { get; init; }

    /// <summary>Opens the file and finds out the VAE's architecture.</summary>
    /// <param name="path">The file.</param>
    /// <param name="options">
    /// What is known beforehand; null for nothing. <see cref="SingleFileOptions.Version"/> tells the scaling factor, which stands in no
    /// file: that of SDXL,
    /// or else that of SD 1.x and 2.x. Options and <see cref="SingleFileOptions.ConfigurationPath"/> count first, then a VAE's
    /// <c>config.json</c> beside the file, as
    /// in a folder of diffusers, then the shapes. A .yaml beside the file is not looked at unless
    /// <see cref="SingleFileOptions.YamlPath"/> names it.
    /// </param>
    /// <exception cref="InvalidOptionsException">The options cannot work.</exception>
    /// <exception cref="InvalidFileException">The file is missing, damaged, holds no VAE, or one that is not supported.</exception>
    public static VaeFile Open(string path, SingleFileOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        options ??= new SingleFileOptions();
        InvalidOptionsException.ThrowIfAny(options.Validate());
        var file = TensorFile.Open(path);
        try
        {
            return Of(file, options);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => _file.Dispose();

    /// <summary>The VAE of an open file, which from now on is this object's to dispose, unless an exception is thrown.</summary>
    internal static VaeFile Of(ITensorFile file, SingleFileOptions options)
    {
        foreach (var (prefix, names) in Places)
        {
            var keys = new CheckpointKeys(file, prefix);
            // diffusers' UNet has down blocks as well, but no encoder.
            if (!keys.HasModule($"{names.Down}.0")) continue;
            var yaml = options.YamlPath is { } path ? SidecarYaml.Read(path) : null;
            var found = new CheckpointConfiguration(options).Vae ?? Beside(file.Path, options.Version)
                ?? VaeShapes.Read(keys, names, options.Version, yaml);
            if (found.Validate().ToArray() is { Length: > 0 } problems)
                throw new InvalidFileException(
                    file.Path,
                        $"its shapes make no VAE that could work: {string.Join(" ", problems.Select(problem => problem.ToString()))}",
                    $"Put its config.json of diffusers beside the file, which tells its norm groups ({nameof(VaeFile)} also takes a "
                        + $"folder with vae/config.json as {nameof(SingleFileOptions.ConfigurationPath)}), or use another file if this "
                            + $"one is damaged.");
            var layout = names == VaeNames.Ldm ? KeyMap.Vae(found, prefix) : KeyMap.DiffusersVae();
            return new VaeFile(file) { Options = found,
                Weights = CheckpointView.Of(file, layout, tensor => tensor, new HashSet<string>()) };
        }

        throw ForeignFile.WithoutVae(file);
    }

    /// <summary>The architecture in a VAE's <c>config.json</c>, with the version's scaling factor where it has none.</summary>
    internal static VaeOptions Configured(string configuration, ModelVersion version) => Configured(new ConfigFile(configuration), version);

    private static VaeOptions Configured(ConfigFile config, ModelVersion version)
    {
        var vae = ArchitectureReader.Vae(config);
        return config.Has("scaling_factor") ? vae : vae with { ScalingFactor = VaeShapes.Usual(version).ScalingFactor };
    }

    // A file out of a folder has its configuration beside it.
    private static VaeOptions? Beside(string path, ModelVersion version)
    {
        var configuration = Path.Combine(Path.GetDirectoryName(path) ?? "", "config.json");
        return File.Exists(configuration) && new ConfigFile(configuration) is var config
            && config.Text("_class_name") == "AutoencoderKL" ? Configured(config, version) : null;
    }
}
