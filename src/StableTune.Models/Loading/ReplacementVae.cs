using StableTune.Formats;

namespace StableTune.Models;

/// <summary>
/// Another VAE than the model's own: a single file (of a whole model, or of a VAE alone), a folder with a VAE's <c>config.json</c> and weights, or the folder of a
/// model, of which its VAE is taken.
/// </summary>
internal static class ReplacementVae
{
    /// <summary>Opens the VAE. Its scaling factor is that of its configuration, else that of the model's version.</summary>
    /// <param name="path">A file or folder.</param>
    /// <param name="version">The version of the model that it is for.</param>
    /// <param name="options">The variant of weights.</param>
    /// <exception cref="InvalidFileException">There is none, or none that is supported.</exception>
    public static ModelPart Open(string path, ModelVersion version, ModelLoadOptions options)
    {
        if (Directory.Exists(path)) return OpenFolder(path, version, options);
        var folder = Path.GetDirectoryName(path) ?? "";
        var file = TensorFile.Open(path);
        try
        {
            var whole = new CheckpointKeys(file, PartLayout.VaePrefix);
            if (whole.Any) return OpenFile(file, whole, PartLayout.VaePrefix, version);
            var keys = new CheckpointKeys(file, "");
            if (keys.HasModule("encoder.down_blocks"))
            {
                // A file out of a folder: its configuration lies beside it, or it is built as all published ones.
                var configuration = Path.Combine(folder, "config.json");
                var architecture = File.Exists(configuration) ? Configured(configuration, version) : Usual(version);
                return new ModelPart(ModelPart.Vae, architecture, () => new AutoencoderKL(architecture), () => file, WeightNames.Vae, owned: file);
            }

            if (keys.HasModule("encoder.down")) return OpenFile(file, keys, "", version);
            throw NoVae(file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private static ModelPart OpenFolder(string path, ModelVersion version, ModelLoadOptions options)
    {
        // A model's folder has its VAE in a folder of its own.
        var folder = File.Exists(Path.Combine(path, "model_index.json")) || !File.Exists(Path.Combine(path, "config.json")) ? Path.Combine(path, "vae") : path;
        var configuration = Path.Combine(folder, "config.json");
        if (!File.Exists(configuration))
            throw new InvalidFileException(path, "the folder holds no VAE: neither config.json nor vae/config.json is there.", "Give the folder of a VAE or of a model in diffusers' layout, or a file.");
        var architecture = Configured(configuration, version);
        var file = WeightLocation.Find(folder, isText: false, options.Variant);
        return new ModelPart(ModelPart.Vae, architecture, () => new AutoencoderKL(architecture), () => WeightLocation.Open(file), WeightNames.Vae);
    }

    private static ModelPart OpenFile(ITensorFile file, CheckpointKeys keys, string prefix, ModelVersion version)
    {
        var yaml = SidecarYaml.Beside(file.Path) is { } path ? SidecarYaml.Read(path) : null;
        var found = VaeShapes.Read(keys, version, yaml);
        var problems = found.Validate().ToArray();
        if (problems.Length > 0)
            throw new InvalidFileException(
                file.Path, $"its shapes make no VAE that could work: {string.Join(" ", problems.Select(problem => problem.ToString()))}", "Give the VAE as a folder with its config.json.");
        var view = CheckpointView.Of(file, PartLayout.Vae(found, prefix), tensor => tensor, new HashSet<string>(StringComparer.Ordinal));
        return new ModelPart(ModelPart.Vae, found, () => new AutoencoderKL(found), () => view, name => name, owned: file);
    }

    private static VaeOptions Configured(string configuration, ModelVersion version)
    {
        var config = new ConfigFile(configuration);
        var vae = ArchitectureReader.Vae(config);
        return config.Has("scaling_factor") ? vae : vae with { ScalingFactor = Usual(version).ScalingFactor };
    }

    private static VaeOptions Usual(ModelVersion version) => version == ModelVersion.Sdxl ? VaeOptions.Sdxl : VaeOptions.Sd15;

    private static InvalidFileException NoVae(ITensorFile file) => new(
        file.Path, $"the file holds no VAE: none of its {file.Tensors.Count} tensors is one of a VAE's encoder.", "Give a file of a whole model or of a VAE, or a folder in diffusers' layout.");
}
