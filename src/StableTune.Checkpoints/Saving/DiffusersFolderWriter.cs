using System.Text.Json.Nodes;
using StableTune.Formats;
using StableTune.Models;

namespace StableTune.Checkpoints;

/// <summary>Writes a model as a folder in diffusers' layout, complete: what <c>from_pretrained</c> loads.</summary>
internal sealed class DiffusersFolderWriter(ModelContents contents, ModelFormat format, ModelSaveOptions options, SaveProgress progress)
{
    /// <summary>Writes all files; the folder is there and empty.</summary>
    public void Write(string folder)
    {
        // Before any gigabyte: configurations of the source may be damaged.
        var source = contents.SourceFolder;
        var sourceIndex = source is not null
            && File.Exists(Path.Combine(source, "model_index.json")) ? ConfigJson.Read(Path.Combine(source, "model_index.json")) : null;
        var scheduler = Scheduler(source);
        var feature = FeatureExtractor(sourceIndex);
        var index = PipelineIndex.Make(contents, sourceIndex, scheduler.Text("_class_name") ?? "PNDMScheduler", feature is not null);
        var parts = contents.Parts.Select(part => (Part: part, Tensors: progress.Over(part.Tensors(options.PrecisionOf(part.Part)))))
            .ToList();
        var extra = contents.Carried.Writer(contents.Metadata, progress);
        var configs = parts.ToDictionary(part => part.Part, part => Config(part.Part, part.Tensors, source));

        foreach (var (part, tensors) in parts)
        {
            var target = Create(folder, part.Folder);
            WriteBytes(Path.Combine(target, "config.json"), configs[part].Bytes());
            WeightFiles.Write(target, Stem(part), format, tensors, options);
        }

        foreach (var (name, tokenizer) in contents.Tokenizers)
            TokenizerFolderWriter.Write(Create(folder, name), tokenizer, SourcePath(name));
        WriteBytes(Path.Combine(Create(folder, "scheduler"), "scheduler_config.json"), scheduler.Bytes());
        extra?.Invoke(folder);
        feature?.Invoke(Path.Combine(folder, "feature_extractor"));
        foreach (var other in PipelineIndex.OtherParts(sourceIndex))
            if (SourcePath(other) is { } path) FolderFiles.Copy(path, Path.Combine(folder, other));
        AtomicFile.WriteText(Path.Combine(folder, "model_index.json"), ConfigJson.Text(index));
    }

    private KeptConfig Scheduler(string? source) => KeptConfig.Of(
        contents.Scheduler, contents.IsSdxl ? "scheduler-sdxl" : contents.IsSd2 ? "scheduler-sd2" : "scheduler-sd1",
        source is null ? null : Path.Combine(source, "scheduler", "scheduler_config.json"));

    private static KeptConfig Config(PartContents part, IReadOnlyList<TensorPayload> tensors, string? source)
    {
        var config = KeptConfig.Of(part.Options, PartConfigs.TemplateOf(part.Options),
            source is null ? null : Path.Combine(source, part.Folder, "config.json"));
        if (PayloadSizes.TypeName(tensors) is not { } type) return config;
        config.Replace("torch_dtype", type);
        config.Replace("dtype", type);      // its name since transformers 5
        return config;
    }

    /// <summary>What writes the feature extractor: a copy of the source's, or the customary one where the source is no folder; null for
    /// none.</summary>
    private Action<string>? FeatureExtractor(JsonObject? sourceIndex)
    {
        if (sourceIndex is not null)
        {
            return PipelineIndex.Has(sourceIndex, "feature_extractor") && SourcePath("feature_extractor") is { } path
                ? target => FolderFiles.Copy(path, target) : null;
        }

        return contents.IsSdxl ? null : target => AtomicFile.WriteText(
            Path.Combine(Directory.CreateDirectory(target).FullName, "preprocessor_config.json"),
                ConfigJson.Text(ConfigJson.Template("feature-extractor")));
    }

    private string? SourcePath(string part) =>
        contents.SourceFolder is { } source && Path.Combine(source, part) is var path && Directory.Exists(path) ? path : null;

    private string Stem(PartContents part) => part.Options is UNetOptions or VaeOptions ? "diffusion_pytorch_model"
        : format == ModelFormat.Diffusers ? "pytorch_model" : "model";

    private static string Create(string folder, string part) => Directory.CreateDirectory(Path.Combine(folder, part)).FullName;

    private static void WriteBytes(string path, byte[] bytes) => AtomicFile.Write(path, stream => stream.Write(bytes));
}
