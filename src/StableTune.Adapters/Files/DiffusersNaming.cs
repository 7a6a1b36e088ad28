using System.Text.RegularExpressions;

namespace StableTune.Adapters;

/// <summary>
/// <c>unet.mid_block.attentions.0.proj_in.lora.down.weight</c>, in text encoders <c>q_proj.lora_linear_layer.down.weight</c>: diffusers'
/// names of 2023, after its layers had taken the factors over from its attention processors.
/// </summary>
internal sealed partial record DiffusersNaming() : AdapterNaming("diffusers before PEFT")
{
    public override AdapterTensorName? Read(string name, IReadOnlySet<string> tensors) =>
        Factor().Match(name) is { Success: true } match
            ? DottedPaths.Name(match.Groups["path"].Value, $"lora_{match.Groups["factor"].Value}.weight") : null;

    [GeneratedRegex(@"^(?<path>.+)\.(lora|lora_linear_layer)\.(?<factor>down|up)\.weight$")]
    private static partial Regex Factor();
}

/// <summary>
/// <c>unet.mid_block.attentions.0.transformer_blocks.0.attn1.processor.to_q_lora.down.weight</c>: diffusers' first names, of attention
/// processors. In text encoders <c>self_attn.to_q_lora</c> is <c>q_proj</c>.
/// </summary>
internal sealed partial record DiffusersProcessorNaming() : AdapterNaming("diffusers' attention processors")
{
    public override AdapterTensorName? Read(string name, IReadOnlySet<string> tensors)
    {
        if (Factor().Match(name) is not { Success: true } match) return null;
        var (attention, projection) = (match.Groups["attention"].Value, match.Groups["projection"].Value);
        var layer = attention.EndsWith("self_attn", StringComparison.Ordinal) ? $"{projection}_proj"
            : projection == "out" ? "to_out.0" : $"to_{projection}";
        return DottedPaths.Name($"{attention}.{layer}", $"lora_{match.Groups["factor"].Value}.weight");
    }

    [GeneratedRegex(@"^(?<attention>.+?)(\.processor)?\.to_(?<projection>q|k|v|out)_lora\.(?<factor>down|up)\.weight$")]
    private static partial Regex Factor();
}
