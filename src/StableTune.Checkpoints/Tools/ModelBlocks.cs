using System.Globalization;
using System.Text.RegularExpressions;
using StableTune.Models;

namespace StableTune.Checkpoints;

/// <summary>
/// The places of a UNet's tensors in lists of weights by block: 25 for SD 1.x and 2.x (input blocks 0 to 11, middle, output blocks 0 to
/// 11; the time embedding counts with the first, the output with the last), 23 for SDXL (embeddings; input blocks 0 to 8; the three of the
/// middle; output blocks 0 to 8; output).
/// </summary>
internal sealed partial class ModelBlocks(UNetOptions unet)
{
    private readonly KeyMap _layout = KeyMap.UNet(unet, prefix: "");

    /// <summary>How many numbers a list must have.</summary>
    public int Count => unet.TakesAddedConditions ? 23 : 25;

    /// <summary>The place of a tensor.</summary>
    /// <param name="name">Its name in the module.</param>
    /// <exception cref="ArgumentException">The UNet has no such tensor.</exception>
    public int IndexOf(string name)
    {
        var file = _layout.ToFile(name)?.Name ?? throw new ArgumentException($"A UNet has no '{name}'.", nameof(name));
        if (Block().Match(file) is not { Success: true } block)
            return file.StartsWith("out.", StringComparison.Ordinal) ? Count - 1 : 0;
        var number = int.Parse(block.Groups[2].Value, CultureInfo.InvariantCulture);
        return (block.Groups[1].Value, unet.TakesAddedConditions) switch
        {
            ("input_blocks", false) => number,
            ("middle_block", false) => 12,
            (_, false) => 13 + number,
            ("input_blocks", true) => 1 + number,
            ("middle_block", true) => 10 + number,
            _ => 13 + number,
        };
    }

    [GeneratedRegex(@"^(input_blocks|middle_block|output_blocks)\.(\d+)\.")]
    private static partial Regex Block();
}
