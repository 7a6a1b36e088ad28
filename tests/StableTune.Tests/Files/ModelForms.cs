using StableTune.Checkpoints;
using StableTune.Models;
using StableTune.Testing;

namespace StableTune.Tests;

/// <summary>The fixture models in the forms they are published in, and how a user reads them.</summary>
internal sealed class ModelForms : IDisposable
{
    /// <summary>Folders, single files with a yaml beside them, torch files old and new.</summary>
    public static readonly string[] Names =
    [
        "tiny-sd15", "tiny-sd15.safetensors", "tiny-sd15-ckpt.ckpt", "tiny-sd15-ckpt-legacy-ema.ckpt",
        "tiny-sd21-base", "tiny-sd21-v", "tiny-sd21-v.safetensors", "tiny-sdxl", "tiny-sdxl.safetensors",
    ];

    public TemporaryFolder Folder { get; } = new();

    /// <summary>The fixture's outputs are those of this model.</summary>
    public static string Components(string form) => form.Contains("-ckpt", StringComparison.Ordinal) ? "tiny-sd15-ckpt"
        : form.StartsWith("tiny-sd21-base", StringComparison.Ordinal) ? "tiny-sd21-v" : form.Split('.')[0];

    /// <summary>The file or folder.</summary>
    public string Path(string form) => System.IO.Path.GetExtension(form) switch
    {
        ".safetensors" => FixtureModels.SingleFile(form.Split('.')[0]),
        ".ckpt" => Fixtures.Path("models", form),
        _ => Complete(form),
    };

    /// <summary>
    /// What a single file of such a small model needs: its text encoder has neither the published tokenizer nor heads of 64 channels, the
    /// UNet of SD 2 has heads
    /// of another width in its middle, and SDXL has no yaml that could tell groups and heads. Published models need none of this.
    /// </summary>
    public ModelLoadOptions Reading(string form) => new() { ConfigurationPath = Configuration(form) };

    /// <summary>The model in another form, written as a user would.</summary>
    public SavedModel Save(string form, ModelFormat format, ScalarType? precision = null)
    {
        using var model = ModelLoader.Load(Path(form), Reading(form) with { KeepStoredTypes = true });
        return model.SaveAs(Folder.File($"{form.Replace('.', '-')}-{format}"),
            new ModelSaveOptions { Format = format, Precision = precision, Overwrite = true });
    }

    public void Dispose() => Folder.Dispose();

    private string Complete(string name) => Directory.Exists(Folder.File(name)) ? Folder.File(name) : name switch
    {
        "tiny-sd15" => FixtureModels.TinySd15(Folder),
        "tiny-sd21-v" => FixtureModels.TinySd21V(Folder),
        "tiny-sd21-base" => FixtureModels.TinySd21Base(Folder),
        _ => FixtureModels.TinySdxl(Folder),
    };

    private static string[] Told(string name) =>
        name == "tiny-sd21-v" ? ["tokenizer", "text_encoder", "unet"] : ["tokenizer", "text_encoder"];

    private string Configuration(string form)
    {
        var name = Components(form);
        if (name == "tiny-sdxl") return Complete(name);
        var target = Folder.File("configuration-" + name);
        if (Directory.Exists(target)) return target;
        var source = Complete(name == "tiny-sd15-ckpt" ? "tiny-sd15" : name);
        foreach (var file in Directory.EnumerateFiles(source, "*", SearchOption.AllDirectories))
        {
            var part = System.IO.Path.GetRelativePath(source, file);
            if (!Told(name).Contains(part.Split(System.IO.Path.DirectorySeparatorChar)[0])
                || file.EndsWith(".safetensors", StringComparison.Ordinal)) continue;
            var copy = System.IO.Path.Combine(target, part);
            Directory.CreateDirectory(System.IO.Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }

        if (name != "tiny-sd15-ckpt") return target;
        var config = System.IO.Path.Combine(target, "text_encoder", "config.json");
        File.WriteAllText(config, File.ReadAllText(config).Replace("\"hidden_size\": 48", "\"hidden_size\": 32", StringComparison.Ordinal)
            .Replace("\"intermediate_size\": 192", "\"intermediate_size\": 128", StringComparison.Ordinal)
                .Replace("\"num_hidden_layers\": 5", "\"num_hidden_layers\": 3", StringComparison.Ordinal));
        return target;
    }
}
