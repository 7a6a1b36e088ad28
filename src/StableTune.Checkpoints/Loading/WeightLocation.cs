using StableTune.Formats;

namespace StableTune.Checkpoints;

/// <summary>Finds the weights of a part in its folder: safetensors before torch's pickles and Paddle's, one file or several with an index,
/// with a variant or without.</summary>
internal static class WeightLocation
{
    /// <summary>The variant that is taken where the plain weights are missing.</summary>
    private const string FallbackVariant = "fp16";

    private const string FromRepository = "Take the weights from the model's repository.";

    // What other programs write, with what to say of it.
    private static readonly (string File, string Kind)[] Foreign =
    [
        ("flax_model.msgpack", "weights of Flax"),
            ("diffusion_flax_model.msgpack", "weights of Flax"),
        ("model.onnx", "an ONNX graph"), ("openvino_model.xml", "an OpenVINO graph"), ("tf_model.h5", "weights of TensorFlow"),
    ];

    /// <summary>Opens the weights of a part.</summary>
    /// <param name="path">What <see cref="Find"/> gave.</param>
    public static ITensorFile Open(string path) => IsIndex(path) ? ShardedTensorFile.Open(path)
        : PaddleWeights.Over(TensorFile.Open(path));

    /// <summary>Whether the weights are torch's pickles.</summary>
    /// <param name="path">What <see cref="Find"/> gave.</param>
    public static bool IsPickled(string path) => Path.GetFileName(path).Contains(".bin", StringComparison.Ordinal);

    /// <summary>The weights of a part: a file, or the index of several.</summary>
    /// <param name="folder">The part's folder.</param>
    /// <param name="isText">Whether it is a part of transformers, whose files have other names.</param>
    /// <param name="variant">The variant asked for; files without it are taken where it is missing. Null: the plain one, else fp16.</param>
    /// <exception cref="InvalidFileException">There are none that can be read.</exception>
    public static string Find(string folder, bool isText, string? variant)
    {
        var (safe, pickled) = isText ? ("model", "pytorch_model") : ("diffusion_pytorch_model", "diffusion_pytorch_model");
        // An asked-for variant goes before the plain form of the same format; without one, the plain form of any format before the
        // half-precision one.
        string[] candidates = variant is null
            ? [.. Names(safe, "safetensors", null), .. Names(pickled, "bin", null), .. Names(safe, "safetensors", FallbackVariant),
                .. Names(pickled, "bin", FallbackVariant)]
            : [.. Names(safe, "safetensors", variant), .. Names(safe, "safetensors", null), .. Names(pickled, "bin", variant),
                .. Names(pickled, "bin", null)];
        candidates = [.. candidates, PaddleWeights.FileName];
        foreach (var candidate in candidates)
            if (Path.Combine(folder, candidate) is var path && File.Exists(path)) return path;
        throw Missing(folder, candidates);
    }

    // One file, then several with an index, under the names that diffusers and transformers have given it over time.
    private static string[] Names(string name, string extension, string? variant) => variant is null
        ? [$"{name}.{extension}", $"{name}.{extension}.index.json"]
        : [$"{name}.{variant}.{extension}", $"{name}.{extension}.index.{variant}.json", $"{name}.{variant}.{extension}.index.json"];

    private static bool IsIndex(string path) =>
        Path.GetFileName(path) is var name && name.EndsWith(".json", StringComparison.Ordinal)
        && name.Contains(".index.", StringComparison.Ordinal);

    private static InvalidFileException Missing(string folder, string[] candidates)
    {
        var wanted = Path.Combine(folder, candidates[0]);
        if (candidates.Select(name => Path.Combine(folder, name)).FirstOrDefault(Directory.Exists) is { } directory)
            return new InvalidFileException(directory, "this is a folder, not a weights file.", FromRepository);
        var (file, kind) = Array.Find(Foreign, row => File.Exists(Path.Combine(folder, row.File)));
        if (file is not null)
            return new InvalidFileException(
            wanted, $"the weights are missing; {file} is there, but {kind} are not read.",
            "Convert them to safetensors, or take the .safetensors file from the model's repository.");

        // Another variant is there: named, so that it can be asked for.
        var others = Directory.EnumerateFiles(folder).Select(path => Path.GetFileName(path)!)
            .Where(name => name.EndsWith(".safetensors", StringComparison.Ordinal) || name.EndsWith(".bin", StringComparison.Ordinal))
                .Order(StringComparer.Ordinal).Take(5).ToArray();
        return others.Length == 0
            ? new InvalidFileException(wanted, "the weights are missing.", FromRepository)
            : new InvalidFileException(wanted, $"the weights are missing; the folder holds {string.Join(", ", others)}.",
                "Set Variant to what stands between name and extension, or take the file from the model's repository.");
    }
}
