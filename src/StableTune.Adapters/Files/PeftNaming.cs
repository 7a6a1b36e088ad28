using System.Text.RegularExpressions;

namespace StableTune.Adapters;

/// <summary>
/// <c>unet.mid_block.attentions.0.proj_in.lora_A.weight</c>: PEFT's names, with the part in front as diffusers writes them, or without.
/// Alphas stand in the file's metadata.
/// </summary>
internal sealed partial record PeftNaming() : AdapterNaming("PEFT")
{
    public override bool CanWrite => true;

    public override AdapterTensorName? Read(string name, IReadOnlySet<string> tensors)
    {
        if (Factor().Match(name) is { Success: true } factor)
            return DottedPaths.Name(factor.Groups["path"].Value,
                factor.Groups["factor"].Value == "A" ? "lora_down.weight" : "lora_up.weight");
        return Magnitude().Match(name) is { Success: true } magnitude
            ? DottedPaths.Name(magnitude.Groups["path"].Value, "dora_scale") : null;
    }

    public override WrittenTensor? Write(AdaptedLayer layer, string tensor, IReadOnlyList<long> shape) => tensor switch
    {
        "lora_down.weight" => new WrittenTensor($"{layer.FullPath}.lora_A.weight", shape),
        "lora_up.weight" => new WrittenTensor($"{layer.FullPath}.lora_B.weight", shape),
        // PEFT's norms are those of the output rows.
        "dora_scale" when shape[0] == layer.Shape.OutFeatures && shape.Skip(1).All(size => size == 1) => new WrittenTensor(
            $"{layer.FullPath}.lora_magnitude_vector",
            layer.Shape is ConvolutionShape ? [1, layer.Shape.OutFeatures, 1, 1] : [layer.Shape.OutFeatures]),
        _ => null,
    };

    public override IReadOnlyDictionary<string, string> DescribeScales(IReadOnlyList<AdapterScale> scales) => PeftConfig.Write(scales);

    // The name of PEFT's adapter may stand before the weight: lora_A.default.weight.
    [GeneratedRegex(@"^(?<path>.+)\.lora_(?<factor>[AB])(\.(?!weight$)[^.]+)?\.weight$")]
    private static partial Regex Factor();

    [GeneratedRegex(@"^(?<path>.+)\.lora_magnitude_vector(\.[^.]+)?(\.weight)?$")]
    private static partial Regex Magnitude();
}
