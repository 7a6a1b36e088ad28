namespace StableTune.Models;

/// <summary>A model folder in diffusers' layout: where its files are, and whether it is a pipeline that this library knows.</summary>
internal sealed class ModelFolder
{
    /// <summary>The variant that is taken where the plain weights are missing.</summary>
    private const string FallbackVariant = "fp16";

    // Pipelines with the same parts.
    private static readonly string[] Pipelines = ["StableDiffusionPipeline", "StableDiffusionImg2ImgPipeline", "StableDiffusionXLPipeline", "StableDiffusionXLImg2ImgPipeline"];

    private static readonly (string Part, string[] Classes)[] PartClasses =
    [
        ("unet", ["UNet2DConditionModel"]),
        ("vae", ["AutoencoderKL"]),
        ("text_encoder", ["CLIPTextModel"]),
        ("tokenizer", ["CLIPTokenizer", "CLIPTokenizerFast"]),
        ("text_encoder_2", ["CLIPTextModelWithProjection"]),
        ("tokenizer_2", ["CLIPTokenizer", "CLIPTokenizerFast"]),
    ];

    private ModelFolder(string path, string pipeline) => (Path, Pipeline) = (path, pipeline);

    /// <summary>The pipeline's class.</summary>
    public string Pipeline { get; }

    /// <summary>Whether the pipeline is one of SDXL's.</summary>
    public bool IsXl => Pipeline.StartsWith("StableDiffusionXL", StringComparison.Ordinal);

    /// <summary>The folder.</summary>
    public string Path { get; }

    /// <summary>Opens the folder and reads <c>model_index.json</c>.</summary>
    /// <exception cref="InvalidFileException">It is missing, is a file, is no pipeline, or is one of another kind.</exception>
    public static ModelFolder Open(string path)
    {
        if (File.Exists(path))
            throw new InvalidFileException(
                path, "this is a file, and single-file models are not supported by this version.",
                "Give a model folder in diffusers' layout, with a model_index.json.");
        if (!Directory.Exists(path))
            throw new InvalidFileException(path, "the folder is missing.", "Give the path of a model folder with a model_index.json.");
        var indexPath = System.IO.Path.Combine(path, "model_index.json");
        if (!File.Exists(indexPath))
            throw new InvalidFileException(
                path, "the folder has no model_index.json, so it is no diffusers model.",
                "Give the folder that holds model_index.json, unet, vae, text_encoder and tokenizer.");

        var index = new ConfigFile(indexPath);
        var pipeline = index.Text("_class_name");
        if (pipeline is null || !Pipelines.Contains(pipeline))
            throw new InvalidFileException(
                indexPath, $"the model is a {pipeline ?? "pipeline of no named class"}.",
                "This version takes Stable Diffusion 1.x, 2.x and XL, class StableDiffusionPipeline or StableDiffusionXLPipeline.");
        foreach (var (part, classes) in PartClasses)
            if (index.Part(part) is { } found && !classes.Contains(found.Class))
                throw new InvalidFileException(
                    indexPath, $"the part \"{part}\" is a {found.Class}, not a {classes[0]}.",
                    "This version takes Stable Diffusion 1.x, 2.x and XL.");
        return new ModelFolder(path, pipeline);
    }

    /// <summary>A part's <c>config.json</c>.</summary>
    /// <exception cref="InvalidFileException">It is missing, or not a JSON object.</exception>
    public ConfigFile Config(string part, string file = "config.json")
    {
        var folder = System.IO.Path.Combine(Path, part);
        if (!Directory.Exists(folder))
            throw new InvalidFileException(
                folder, "the folder is missing.", $"The model needs its part \"{part}\"; take it from the model's repository.");
        return new ConfigFile(System.IO.Path.Combine(folder, file));
    }

    /// <summary>The weights file of a part: with the variant, else without; without a variant the plain one, else fp16.</summary>
    /// <exception cref="InvalidFileException">There is none that can be read.</exception>
    public string WeightsFile(string part, string name, string? variant)
    {
        var folder = System.IO.Path.Combine(Path, part);
        string[] names = variant is null
            ? [$"{name}.safetensors", $"{name}.{FallbackVariant}.safetensors"]
            : [$"{name}.{variant}.safetensors", $"{name}.safetensors"];
        foreach (var candidate in names)
            if (System.IO.Path.Combine(folder, candidate) is var path && File.Exists(path)) return path;

        var pickled = name == "model" ? "pytorch_model" : name;
        string[] others = [$"{name}.safetensors.index.json", $"{pickled}.bin", $"{pickled}.{FallbackVariant}.bin", "model_state.pdparams"];
        var other = Array.Find(others, file => File.Exists(System.IO.Path.Combine(folder, file)));
        throw new InvalidFileException(
            System.IO.Path.Combine(folder, names[0]),
            "the weights are missing" + (other is null ? "." : $"; {other} is there, but this version reads single .safetensors files only."),
            other is null ? "Take the file from the model's repository." : "Take the .safetensors file from the model's repository, or convert the weights.");
    }
}
