using StableTune.Models;

namespace StableTune.Checkpoints;

/// <summary>
/// Another VAE than the model's own: a single file (of a whole model, or of a VAE alone), a folder with a VAE's <c>config.json</c> and
/// weights, or the folder of a
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
        var file = VaeFile.Open(path, new SingleFileOptions { Version = version, YamlPath = SidecarYaml.Beside(path) });
        return new ModelPart(ModelPart.Vae, file.Options, () => new AutoencoderKL(file.Options), () => file.Weights, name =>
            name, owned: file);
    }

    private static ModelPart OpenFolder(string path, ModelVersion version, ModelLoadOptions options)
    {
        // A model's folder has its VAE in a folder of its own.
        var folder = File.Exists(Path.Combine(path, "model_index.json"))
            || !File.Exists(Path.Combine(path, "config.json")) ? Path.Combine(path, "vae") : path;
        var configuration = Path.Combine(folder, "config.json");
        if (!File.Exists(configuration))
            throw new InvalidFileException(
                path, "the folder holds no VAE: neither config.json nor vae/config.json is there.",
                "Give the folder of a VAE or of a model in diffusers' layout, or a file.");
        var architecture = VaeFile.Configured(configuration, version);
        var file = WeightLocation.Find(folder, isText: false, options.Variant);
        return new ModelPart(ModelPart.Vae, architecture, () => new AutoencoderKL(architecture), () =>
            WeightLocation.Open(file), WeightNames.Vae);
    }
}
