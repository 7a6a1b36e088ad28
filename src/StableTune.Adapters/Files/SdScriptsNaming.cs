using System.Text.RegularExpressions;

namespace StableTune.Adapters;

/// <summary>
/// <c>lora_unet_mid_block_attentions_0_proj_in.lora_down.weight</c>: the kind, the part, the path with underscores, the tensor. Paths are
/// those of diffusers' modules or of single-file checkpoints. LyCORIS' wrapper for any model writes <c>lycoris_</c> and a path.
/// </summary>
internal sealed partial record SdScriptsNaming() : AdapterNaming("sd-scripts")
{
    public override bool CanWrite => true;

    public override AdapterTensorName? Read(string name, IReadOnlySet<string> tensors)
    {
        var match = OfPart().Match(name);
        if (!match.Success) match = OfAny().Match(name);
        if (!match.Success) return null;
        var kind = match.Groups["kind"].Value;
        var tensor = match.Groups["tensor"].Value;
        return new AdapterTensorName(Part(match.Groups["part"].Value), match.Groups["path"].Value, DottedPaths.Full(tensor))
        {
            Kind = kind == "lycoris" ? "lora" : kind,
        };
    }

    public override WrittenTensor? Write(AdaptedLayer layer, string tensor, IReadOnlyList<long> shape) =>
        new($"{layer.Name}.{tensor}", shape);

    private static AdapterParts Part(string name) => name switch
    {
        "unet" => AdapterParts.UNet,
        "te" or "te1" => AdapterParts.TextEncoder1,
        "te2" => AdapterParts.TextEncoder2,
        _ => AdapterParts.All,
    };

    [GeneratedRegex(@"^(?<kind>[A-Za-z0-9_]+?)_(?<part>unet|te|te1|te2)_(?<path>[^.]+)\.(?<tensor>.+)$")]
    private static partial Regex OfPart();

    [GeneratedRegex(@"^(?<kind>lycoris)_(?<path>[^.]+)\.(?<tensor>.+)$")]
    private static partial Regex OfAny();
}
