using System.Globalization;
using System.Text.RegularExpressions;

namespace StableTune.Adapters;

/// <summary>The numbers of the UNet's blocks, by which block-wise options are given.</summary>
internal static partial class UNetBlocks
{
    /// <summary>The block of a layer, see <see cref="AdaptedLayer.Block"/>; null outside of blocks.</summary>
    /// <param name="path">The path that files have: the module's in SD 1.x and 2.x, that of single-file checkpoints in SDXL. Dots or
    /// underscores.</param>
    public static int? IndexOf(string path)
    {
        if (path.StartsWith("mid_block", StringComparison.Ordinal)) return 12;
        if (Stage().Match(path) is { Success: true } stage)
        {
            var place = stage.Groups["sampler"].Success ? 2 : Number(stage, "layer");
            return (stage.Groups["direction"].Value == "down" ? 1 : 13) + 3 * Number(stage, "stage") + place;
        }

        if (SingleFile().Match(path) is not { Success: true } block) return null;
        return block.Groups["name"].Value switch
        {
            "input_blocks" => 1 + Number(block, "number"),
            "middle_block" => 10 + Number(block, "number"),
            "output_blocks" => 13 + Number(block, "number"),
            "out" => 22,
            _ => 0,
        };
    }

    private static int Number(Match match, string group) => int.Parse(match.Groups[group].Value, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"^(?<direction>down|up)_blocks[._](?<stage>\d+)[._]" +
        @"((resnets|attentions)[._](?<layer>\d+)|(?<sampler>(down|up)samplers))[._]")]
    private static partial Regex Stage();

    [GeneratedRegex(@"^(?<name>time_embed|label_emb|input_blocks|middle_block|output_blocks|out)[._](?<number>\d+)([._]|$)")]
    private static partial Regex SingleFile();
}
