using System.Globalization;
using StableTune.Models;

namespace StableTune.Checkpoints;

/// <summary>The table of a ControlNet's names: the UNet's way down and middle, and the layers of its own.</summary>
internal static class ControlNetRows
{
    private const string Picture = "controlnet_cond_embedding";

    private static readonly string[] s_absent = ["conv_norm_out", "conv_out", "up_blocks."];

    /// <summary>All rows, names in the file without prefix.</summary>
    public static IEnumerable<LayoutRow> For(ControlNetModelOptions options) =>
    [
        .. UNetRows.For(options.UNet).Where(row => !s_absent.Any(start => row.Module.StartsWith(start, StringComparison.Ordinal))),
        .. PictureRows(options.ConditioningEmbeddingChannels.Count),
        .. ControlNetModel.SkipChannels(options.UNet).Select((_, i) => Row($"controlnet_down_blocks.{i}", $"zero_convs.{i}.0")),
        Row("controlnet_mid_block", "middle_block_out.0"),
    ];

    // A convolution and an activation take turns, so that convolutions have the even numbers.
    private static IEnumerable<LayoutRow> PictureRows(int levels)
    {
        var blocks = 2 * (levels - 1);
        yield return Row($"{Picture}.conv_in", "input_hint_block.0");
        for (var i = 0; i < blocks; i++) yield return Row($"{Picture}.blocks.{i}", $"input_hint_block.{2 * (i + 1)}");
        yield return Row($"{Picture}.conv_out", $"input_hint_block.{2 * (blocks + 1)}");
    }

    private static LayoutRow Row(FormattableString module, FormattableString file) =>
        new(module.ToString(CultureInfo.InvariantCulture), file.ToString(CultureInfo.InvariantCulture));

    private static LayoutRow Row(string module, string file) => new(module, file);
}
