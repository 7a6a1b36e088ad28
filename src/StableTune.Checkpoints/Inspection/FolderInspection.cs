using StableTune.Formats;

namespace StableTune.Checkpoints;

/// <summary>Inspects folders: whole models in diffusers' layout, and folders of one part with its <c>config.json</c>.</summary>
internal static class FolderInspection
{
    // The names under which parts are saved, in the order in which they are looked for.
    private static readonly string[] WeightsNames =
    [
        "diffusion_pytorch_model.safetensors", "model.safetensors", "diffusion_pytorch_model.safetensors.index.json",
            "model.safetensors.index.json",
        "diffusion_pytorch_model.bin", "pytorch_model.bin", "diffusion_pytorch_model.fp16.safetensors", "model.fp16.safetensors",
        "pytorch_lora_weights.safetensors", "pytorch_lora_weights.bin", "learned_embeds.safetensors", "learned_embeds.bin",
    ];

    /// <summary>What the folder is, and the files that it consists of.</summary>
    /// <exception cref="InvalidFileException">It holds no weights, or they cannot be read.</exception>
    public static (ModelInspection Found, IReadOnlyList<string> Files) Inspect(string folder, InspectOptions options)
    {
        if (File.Exists(System.IO.Path.Combine(folder, "model_index.json")))
        {
            var model = ModelFacts.OfFolder(folder, options.ForFolder, out var files);
            return (model, files);
        }

        if (Array.Find(WeightsNames, name => File.Exists(System.IO.Path.Combine(folder, name))) is not { } weights)
            throw new InvalidFileException(
                folder, "the folder has no model_index.json, and no weights file under a name that diffusers or transformers give.",
                "Name the weights file itself, or the folder that holds model_index.json.");
        var (found, ofPart) = FileInspection.Inspect(System.IO.Path.Combine(folder, weights), options);
        return (found with { Path = folder,
            Notes = [$"The folder holds one part of a model, {weights}{ClassOf(folder)}.", .. found.Notes] }, ofPart);
    }

    private static string ClassOf(string folder)
    {
        var path = System.IO.Path.Combine(folder, "config.json");
        if (!File.Exists(path)) return "";
        try
        {
            var config = new ConfigFile(path);
            return (config.Text("_class_name") ?? config.Texts("architectures", []).FirstOrDefault()) is { } name
                ? $", a {name} by its config.json" : "";
        }
        catch (InvalidFileException e)
        {
            return $"; its config.json cannot be read ({e.Fault.TrimEnd('.')})";
        }
    }
}
