using StableTune.Models;

namespace StableTune.Checkpoints;

/// <summary>The VAE's table.</summary>
internal static class VaeRows
{
    // Both coders have these; what they share with diffusers inside a resnet (norm1, conv1, norm2, conv2) needs no row of its own.
    private static readonly LayoutRow[] Coder =
    [
        new("conv_in", "conv_in"),
        new("conv_norm_out", "norm_out"),
        new("conv_out", "conv_out"),
        .. Resnet("mid_block.resnets.0", "mid.block_1"),
        .. Resnet("mid_block.resnets.1", "mid.block_2"),
        new("mid_block.attentions.0.group_norm", "mid.attn_1.norm"),
        new("mid_block.attentions.0.to_q", "mid.attn_1.q", TensorForm.LinearInModule),
        new("mid_block.attentions.0.to_k", "mid.attn_1.k", TensorForm.LinearInModule),
        new("mid_block.attentions.0.to_v", "mid.attn_1.v", TensorForm.LinearInModule),
        new("mid_block.attentions.0.to_out.0", "mid.attn_1.proj_out", TensorForm.LinearInModule),
        // Their names in diffusers before 0.17.
        new("mid_block.attentions.0.query", "mid.attn_1.q", TensorForm.LinearInModule, LayoutUse.Writing),
        new("mid_block.attentions.0.key", "mid.attn_1.k", TensorForm.LinearInModule, LayoutUse.Writing),
        new("mid_block.attentions.0.value", "mid.attn_1.v", TensorForm.LinearInModule, LayoutUse.Writing),
        new("mid_block.attentions.0.proj_attn", "mid.attn_1.proj_out", TensorForm.LinearInModule, LayoutUse.Writing),
    ];

    /// <summary>All rows, names in the file without prefix.</summary>
    public static IEnumerable<LayoutRow> For(VaeOptions options)
    {
        var levels = options.BlockOutChannels.Count;
        var rows = new List<LayoutRow> { new("quant_conv", "quant_conv"), new("post_quant_conv", "post_quant_conv") };
        foreach (var coder in (string[])["encoder", "decoder"])
            rows.AddRange(Coder.Select(row => row with { Module = $"{coder}.{row.Module}", File = $"{coder}.{row.File}" }));
        for (var level = 0; level < levels; level++)
        {
            for (var layer = 0; layer < options.LayersPerBlock; layer++)
                rows.AddRange(Resnet($"encoder.down_blocks.{level}.resnets.{layer}", $"encoder.down.{level}.block.{layer}"));
            // The file counts the decoder's levels from the largest resolution, diffusers in the order of computing.
            var up = levels - 1 - level;
            for (var layer = 0; layer <= options.LayersPerBlock; layer++)
                rows.AddRange(Resnet($"decoder.up_blocks.{up}.resnets.{layer}", $"decoder.up.{level}.block.{layer}"));
            if (level < levels - 1)
                rows.Add(new($"encoder.down_blocks.{level}.downsamplers.0.conv", $"encoder.down.{level}.downsample.conv"));
            if (level > 0) rows.Add(new($"decoder.up_blocks.{up}.upsamplers.0.conv", $"decoder.up.{level}.upsample.conv"));
        }

        return rows;
    }

    /// <summary>The rows of a file under diffusers' names, which differ in age only.</summary>
    public static IEnumerable<LayoutRow> Diffusers() =>
    [
        new("encoder", "encoder"), new("decoder", "decoder"), new("quant_conv", "quant_conv"), new("post_quant_conv", "post_quant_conv"),
        .. from coder in (string[])["encoder", "decoder"]
           from row in Coder
           where row.Form == TensorForm.LinearInModule
           let name = $"{coder}.{row.Module}"
           let today = Coder.First(other => other.File == row.File && other.Use == LayoutUse.Both).Module
           select new LayoutRow($"{coder}.{today}", name, TensorForm.Linear, LayoutUse.Reading),
    ];

    private static LayoutRow[] Resnet(string module, string file) =>
        [new(module, file), new($"{module}.conv_shortcut", $"{file}.nin_shortcut")];
}
