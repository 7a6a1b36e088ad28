using StableTune.Models;

namespace StableTune.Checkpoints;

/// <summary>The UNet's table: where each layer of diffusers' blocks lies among the numbered blocks of a checkpoint.</summary>
internal static class UNetRows
{
    private static readonly LayoutRow[] Ends =
    [
        new("conv_in", "input_blocks.0.0"),
        new("time_embedding.linear_1", "time_embed.0"),
        new("time_embedding.linear_2", "time_embed.2"),
        new("conv_norm_out", "out.0"),
        new("conv_out", "out.2"),
    ];

    private static readonly LayoutRow[] AddedCondition =
    [
        new("add_embedding.linear_1", "label_emb.0.0"),
        new("add_embedding.linear_2", "label_emb.0.2"),
    ];

    private static readonly LayoutRow[] Resnet =
    [
        new("norm1", "in_layers.0"),
        new("conv1", "in_layers.2"),
        new("time_emb_proj", "emb_layers.1"),
        new("norm2", "out_layers.0"),
        new("conv2", "out_layers.3"),
        new("conv_shortcut", "skip_connection"),
    ];

    private static readonly LayoutRow[] LinearTransformer =
    [
        new("norm", "norm"),
        new("proj_in", "proj_in", TensorForm.Linear),
        new("transformer_blocks", "transformer_blocks"),
        new("proj_out", "proj_out", TensorForm.Linear),
    ];

    private static readonly LayoutRow[] ConvolutionTransformer =
        [.. LinearTransformer.Select(row => row.Form == TensorForm.Linear ? row with { Form = TensorForm.Convolution } : row)];

    /// <summary>All rows, names in the file without prefix.</summary>
    public static IEnumerable<LayoutRow> For(UNetOptions options)
    {
        var transformer = options.UseLinearProjection ? LinearTransformer : ConvolutionTransformer;
        return Ends
            .Concat(options.AdditionEmbedType is null ? [] : AddedCondition)
            .Concat(Down(options, transformer))
            .Concat(Within("mid_block.resnets.0", "middle_block.0", Resnet))
            .Concat(Within("mid_block.attentions.0", "middle_block.1", transformer))
            .Concat(Within("mid_block.resnets.1", "middle_block.2", Resnet))
            .Concat(Up(options, transformer));
    }

    // input_blocks.0 is conv_in; then for each level its layers, and a downsampler behind all levels but the last.
    private static IEnumerable<LayoutRow> Down(UNetOptions options, LayoutRow[] transformer)
    {
        var place = 1;
        for (var level = 0; level < options.Levels; level++)
        {
            for (var layer = 0; layer < options.LayersPerBlock; layer++, place++)
            {
                foreach (var row in Within($"down_blocks.{level}.resnets.{layer}", $"input_blocks.{place}.0", Resnet)) yield return row;
                if (options.DownBlockTypes[level] != UNetOptions.CrossAttentionDown) continue;
                foreach (var row in Within($"down_blocks.{level}.attentions.{layer}", $"input_blocks.{place}.1", transformer))
                    yield return row;
            }

            if (level < options.Levels - 1)
                yield return new LayoutRow($"down_blocks.{level}.downsamplers.0.conv", $"input_blocks.{place++}.0.op");
        }
    }

    // Upwards a level has one layer more, and its upsampler shares a block with the last of them, behind the transformer if there is one.
    private static IEnumerable<LayoutRow> Up(UNetOptions options, LayoutRow[] transformer)
    {
        var place = 0;
        for (var level = 0; level < options.Levels; level++)
        {
            var attends = options.UpBlockTypes[level] == UNetOptions.CrossAttentionUp;
            for (var layer = 0; layer <= options.LayersPerBlock; layer++, place++)
            {
                foreach (var row in Within($"up_blocks.{level}.resnets.{layer}", $"output_blocks.{place}.0", Resnet)) yield return row;
                if (!attends) continue;
                foreach (var row in Within($"up_blocks.{level}.attentions.{layer}", $"output_blocks.{place}.1", transformer))
                    yield return row;
            }

            if (level < options.Levels - 1)
                yield return new LayoutRow($"up_blocks.{level}.upsamplers.0.conv", $"output_blocks.{place - 1}.{(attends ? 2 : 1)}.conv");
        }
    }

    private static IEnumerable<LayoutRow> Within(string module, string file, LayoutRow[] rows) =>
        rows.Select(row => row with { Module = $"{module}.{row.Module}", File = $"{file}.{row.File}" });
}
