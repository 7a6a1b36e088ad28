using StableTune.Models;
using System.Buffers.Binary;
using System.Globalization;
using System.Text.RegularExpressions;
using StableTune.Formats;

namespace StableTune.Checkpoints;

/// <summary>Describes adapter files: algorithm, base model, layers, ranks and alphas.</summary>
internal static partial class AdapterFacts
{
    // By a part of a name; several may be there together.
    private static readonly (string Sign, string Name)[] Algorithms =
    [
        ("lllite_", "ControlNet-LLLite"), (".hada_w", "LoHa"), (".lokr_w", "LoKr"), (".oft_", "OFT"), (".a1.weight", "GLoRA"),
            (".on_input", "IA3"),
        (".lora_mid.", "LoCon with Tucker decomposition"), (".diff", "full differences"), (".w_norm", "norms"), (".lora_down.", "LoRA"),
            (".lora_A.", "LoRA"),
        ("_lora.down.", "LoRA"), (".lora_linear_layer.", "LoRA"), (".dora_scale", "DoRA"),
    ];

    private static readonly (string Prefix, string Part)[] Parts =
    [
        ("lora_unet_", ModelPart.UNet), ("lycoris_unet_", ModelPart.UNet), ("oft_unet_", ModelPart.UNet), ("lllite_unet_", ModelPart.UNet),
            ("unet.", ModelPart.UNet),
        ("lora_te1_", ModelPart.TextEncoder), ("lora_te2_", ModelPart.TextEncoder2), ("lora_te_", ModelPart.TextEncoder),
        ("text_encoder_2.", ModelPart.TextEncoder2), ("text_encoder.", ModelPart.TextEncoder), ("", "other"),
    ];

    // A tensor whose first size is the rank.
    private static readonly string[] RankSigns = [".lora_down.weight", ".lora_A.weight", "_lora.down.weight",
        ".lora_linear_layer.down.weight", ".hada_w1_b", ".lokr_w1_b", ".lokr_w2_b"];

    private static readonly (string Start, ModelVersion Version)[] Bases =
        [("sdxl", ModelVersion.Sdxl), ("sd_v2", ModelVersion.Sd2), ("sd_v1", ModelVersion.Sd1), ("stable-diffusion-xl", ModelVersion.Sdxl),
            ("stable-diffusion-v2", ModelVersion.Sd2), ("stable-diffusion-v1", ModelVersion.Sd1)];

    /// <summary>Describes an adapter file.</summary>
    public static ModelInspection Describe(string path, WeightContents contents)
    {
        var tensors = contents.Tensors;
        var algorithms = Algorithms.Where(row => tensors.Any(tensor => tensor.Name.Contains(row.Sign, StringComparison.Ordinal)))
            .Select(row => row.Name).Distinct().ToList();
        var parts = Parts.Select(row => row.Part).Distinct()
            .Select(part => (Name: part, Tensors: tensors.Where(tensor => PartOf(tensor.Name) == part).ToList()))
            .Where(part => part.Tensors.Count > 0).ToList();
        var ranks = tensors.Where(tensor =>
            tensor.Shape.Count >= 2 && RankSigns.Any(sign => tensor.Name.EndsWith(sign, StringComparison.Ordinal)))
            .Select(tensor => (double)tensor.Shape[0]).ToList();
        var alphas = tensors.Where(tensor => tensor.Name.EndsWith(".alpha", StringComparison.Ordinal))
            .Select(tensor => Number(contents.File, tensor)).OfType<double>().ToList();
        List<string> facts = [$"{(algorithms.Count == 0 ? "adapter" : string.Join(", ", algorithms))}{Base(contents)}"];
        if (ranks.Count > 0) facts.Add($"rank {Range(ranks)}");
        if (alphas.Count > 0) facts.Add($"alpha {Range(alphas)}");
        return new ModelInspection
        {
            Path = path, Kind = ContentKind.Adapter, Summary = string.Join(", ", facts),
            Parts = [.. parts.Select(part =>
                InspectedPart.Of(part.Name, $"{part.Tensors.Select(tensor => LayerOf(tensor.Name)).Distinct().Count()} layer(s)",
                part.Tensors))],
        };
    }

    private static string PartOf(string name) => Array.Find(Parts, row => name.StartsWith(row.Prefix, StringComparison.Ordinal)).Part;

    /// <summary>The layer that a tensor belongs to: its name without the adapter's own part.</summary>
    private static string LayerOf(string name) => Own().Replace(name, "");

    private static string Base(WeightContents contents)
    {
        foreach (var key in new[] { "ss_base_model_version", "modelspec.architecture" })
            if (contents.Metadata.TryGetValue(key, out var text)
                && Array.Find(Bases, row => text.StartsWith(row.Start, StringComparison.Ordinal)) is { Start: not null } row)
                return $" for {row.Version.Words()} (from {key})";
        if (contents.Tensors.Any(tensor => PartOf(tensor.Name) == ModelPart.TextEncoder2))
            return $" for {ModelVersion.Sdxl.Words()} (it has a second text encoder)";
        var context = contents.Tensors.FirstOrDefault(tensor => Context().IsMatch(tensor.Name) && tensor.Shape.Count >= 2)?.Shape[1];
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

    [GeneratedRegex(
        @"(\.(lora_(up|down|mid|A|B)\b.*|lora_linear_layer\..*|hada_.*|lokr_.*|oft_.*|[ab][12m]\.weight|alpha|dora_scale"
            + @"|diff(_b)?|[wb]_norm|on_input|weight|rescale|scalar|down\..*|up\..*|mid\..*|conditioning1\..*)|_lora\.(up|down)\..*)$")]
    private static partial Regex Own();

    [GeneratedRegex(@"attn2[._](processor\.)?to_[kv](_lora)?\.(lora_down|lora_A|down|hada_w1_b|lora_linear_layer\.down)")]
    private static partial Regex Context();
}
