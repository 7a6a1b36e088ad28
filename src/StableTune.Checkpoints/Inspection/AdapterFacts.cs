using StableTune.Adapters;
using StableTune.Models;
using System.Buffers.Binary;
using System.Globalization;
using System.Text.RegularExpressions;
using StableTune.Formats;

namespace StableTune.Checkpoints;

/// <summary>Describes adapter files: algorithm, base model, layers, ranks and alphas.</summary>
internal static partial class AdapterFacts
{
    private const string Other = "other", Embedding = "embedding", BundlePrefix = "bundle_emb.";

    // By a part of a name; several may be there together.
    private static readonly (string Sign, string Name)[] Algorithms =
    [
        ("lllite_", "ControlNet-LLLite"), (".hada_w", "LoHa"), (".lokr_w", "LoKr"), (".oft_", "OFT"), (".a1.weight", "GLoRA"),
            (".on_input", "IA3"),
        (".lora_mid.", "LoCon with Tucker decomposition"), (".diff.", "full differences"), (".diff_b.", "full differences"),
        (".w_norm", "norms"), (".lora_down.", "LoRA"), (".lora_up.", "LoRA"),
            (".lora_A.", "LoRA"),
        ("_lora.down.", "LoRA"), (".lora.down.", "LoRA"), (".lora_linear_layer.", "LoRA"), (".dora_scale", "DoRA"),
    ];

    // Tensors whose first size is the rank, by their names within an adapter.
    private static readonly string[] Ranks = ["lora_down.weight", "hada_w1_b", "lokr_w1_b", "lokr_w2_b"];

    // Tensors whose second size is the width of the layer's input.
    private static readonly string[] Inputs = ["lora_down.weight", "hada_w1_b"];

    private static readonly string[] Parts = [ModelPart.UNet, ModelPart.TextEncoder, ModelPart.TextEncoder2, Embedding, Other];

    private static readonly (string Start, ModelVersion Version)[] Bases =
        [("sdxl", ModelVersion.Sdxl), ("sd_v2", ModelVersion.Sd2), ("sd_v1", ModelVersion.Sd1), ("stable-diffusion-xl", ModelVersion.Sdxl),
            ("stable-diffusion-v2", ModelVersion.Sd2), ("stable-diffusion-v1", ModelVersion.Sd1)];

    /// <summary>Describes an adapter file.</summary>
    public static ModelInspection Describe(string path, WeightContents contents)
    {
        var tensors = Named(contents);
        // With a dot behind the name, signs can say where a word ends.
        var algorithms = Algorithms.Where(row =>
                tensors.Exists(tensor => $"{tensor.Info.Name}.".Contains(row.Sign, StringComparison.Ordinal)))
            .Select(row => row.Name).Distinct().ToList();
        var ranks = tensors.Where(tensor => tensor.Info.Shape.Count >= 2 && Ranks.Contains(tensor.Name?.Tensor))
            .Select(tensor => (double)tensor.Info.Shape[0]).ToList();
        var alphas = tensors.Where(tensor => tensor.Name?.Tensor == "alpha")
            .Select(tensor => Number(contents.File, tensor.Info)).OfType<double>().ToList();
        List<string> facts = [$"{(algorithms.Count == 0 ? "adapter" : string.Join(", ", algorithms))}{Base(contents, tensors)}"];
        if (ranks.Count > 0) facts.Add($"rank {Range(ranks)}");
        if (alphas.Count > 0) facts.Add($"alpha {Range(alphas)}");
        return new ModelInspection
        {
            Path = path, Kind = ContentKind.Adapter, Summary = string.Join(", ", facts),
            Parts = [.. from part in Parts
                let own = tensors.Where(tensor => tensor.Part == part).ToList()
                where own.Count > 0
                select InspectedPart.Of(part, Layers(own), own.Select(tensor => tensor.Info))],
            Notes = [.. Notes(tensors)],
        };
    }

    /// <summary>A tensor with what its name means; null where no scheme can read it.</summary>
    private sealed record NamedTensor(TensorInfo Info, AdapterNaming? Naming, AdapterTensorName? Name)
    {
        public string Part => Info.Name.StartsWith(BundlePrefix, StringComparison.Ordinal) ? Embedding : Name?.Parts switch
        {
            AdapterParts.UNet => ModelPart.UNet,
            AdapterParts.TextEncoder1 => ModelPart.TextEncoder,
            AdapterParts.TextEncoder2 => ModelPart.TextEncoder2,
            _ => Other,
        };
    }

    private static List<NamedTensor> Named(WeightContents contents)
    {
        var known = AdapterFormats.Default.All.SelectMany(format => format.Required.Concat(format.Optional))
            .ToHashSet(StringComparer.Ordinal);
        return [.. contents.Tensors.Select(info => AdapterNamings.Default.All.Select(naming =>
            new NamedTensor(info, naming, naming.Read(info.Name, known))).FirstOrDefault(tensor => tensor.Name is not null)
            ?? new NamedTensor(info, null, null))];
    }

    private static string? Layers(IReadOnlyList<NamedTensor> tensors) => tensors[0].Part == Embedding ? null
        : $"{tensors.Select(tensor => tensor.Name?.Path ?? tensor.Info.Name).Distinct().Count()} layer(s)";

    private static IEnumerable<string> Notes(IReadOnlyList<NamedTensor> tensors)
    {
        // An alpha is called alike by several.
        var others = tensors.Where(tensor => tensor.Name is not null and not { Tensor: "alpha" }).Select(tensor => tensor.Naming!)
            .Where(naming => naming != AdapterNamings.SdScripts).Select(naming => naming.Name).Distinct().ToList();
        if (others.Count > 0) yield return $"The names are those of {string.Join(" and of ", others)}.";
        var words = tensors.Where(tensor => tensor.Part == Embedding).Select(tensor => tensor.Info.Name.Split('.')[1]).Distinct().ToList();
        if (words.Count > 0) yield return $"It brings {words.Count} embedding(s) along: {string.Join(", ", words)}.";
    }

    private static string Base(WeightContents contents, IReadOnlyList<NamedTensor> tensors)
    {
        foreach (var key in new[] { "ss_base_model_version", "modelspec.architecture" })
            if (contents.Metadata.TryGetValue(key, out var text)
                && Array.Find(Bases, row => text.StartsWith(row.Start, StringComparison.Ordinal)) is { Start: not null } row)
                return $" for {row.Version.Words()} (from {key})";
        if (tensors.Any(tensor => tensor.Part == ModelPart.TextEncoder2))
            return $" for {ModelVersion.Sdxl.Words()} (it has a second text encoder)";
        var context = tensors.FirstOrDefault(tensor => Inputs.Contains(tensor.Name?.Tensor) && Context().IsMatch(tensor.Name!.Path)
            && tensor.Info.Shape.Count >= 2)?.Info.Shape[1];
        return context switch
        {
            768 => $" for {ModelVersion.Sd1.Words()}",
            1024 => $" for {ModelVersion.Sd2.Words()}",
            2048 => $" for {ModelVersion.Sdxl.Words()}",
            _ => null,
        } is { } words ? $"{words} (from the width of the text context, {context})" : "";
    }

    private static string Range(List<double> numbers)
    {
        var (least, most) = (numbers.Min(), numbers.Max());
        return least.Equals(most) ? least.ToString("R", CultureInfo.InvariantCulture)
            : string.Create(CultureInfo.InvariantCulture, $"{least:R} to {most:R}");
    }

    /// <summary>A single number of the file; null for other types and shapes.</summary>
    private static double? Number(ITensorFile file, TensorInfo tensor)
    {
        if (tensor.ElementCount != 1 || !file.TryGet(tensor.Name, out var own) || !ReferenceEquals(own, tensor)) return null;
        Span<byte> bytes = stackalloc byte[tensor.DType.Size()];
        file.Read(tensor, bytes);
        return tensor.DType switch
        {
            TensorDType.F16 => (double)BinaryPrimitives.ReadHalfLittleEndian(bytes),
            TensorDType.BF16 => BitConverter.UInt32BitsToSingle((uint)BinaryPrimitives.ReadUInt16LittleEndian(bytes) << 16),
            TensorDType.F32 => BinaryPrimitives.ReadSingleLittleEndian(bytes),
            TensorDType.F64 => BinaryPrimitives.ReadDoubleLittleEndian(bytes),
            TensorDType.I64 => BinaryPrimitives.ReadInt64LittleEndian(bytes),
            TensorDType.I32 => BinaryPrimitives.ReadInt32LittleEndian(bytes),
            _ => null,
        };
    }

    [GeneratedRegex("attn2[._]to_[kv]$")]
    private static partial Regex Context();
}
