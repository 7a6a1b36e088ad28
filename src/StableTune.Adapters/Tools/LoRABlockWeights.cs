using System.Globalization;
using System.Text.RegularExpressions;

namespace StableTune.Adapters;

/// <summary>
/// Weights by block of the UNet as sd-scripts' <c>svd_merge_lora</c> takes them: 26 places (text encoder; input blocks 0 to 11; middle;
/// output blocks 0 to 11), of which shorter lists fill only those that have adapters. 12 and 20 numbers are SDXL's, whose blocks are
/// numbered by the single-file names.
/// </summary>
internal static partial class LoRABlockWeights
{
    /// <summary>By the length of a list: the places that it fills.</summary>
    private static readonly Dictionary<int, (bool IsSdxl, int[] Places)> Lists = new()
    {
        [12] = (true, [0, 5, 6, 8, 9, 13, 14, 15, 16, 17, 18, 19]),
        [17] = (false, [0, 2, 3, 5, 6, 8, 9, 13, 17, 18, 19, 20, 21, 22, 23, 24, 25]),
        [20] = (true, [0, .. Enumerable.Range(1, 9), 13, .. Enumerable.Range(14, 9)]),
        [26] = (false, [.. Enumerable.Range(0, 26)]),
    };

    /// <summary>What is wrong with the lists of adapters that are merged.</summary>
    public static IEnumerable<OptionProblem> Problems(IEnumerable<WeightedAdapter> adapters)
    {
        var lists = adapters.Select(adapter => adapter.BlockWeights).OfType<IReadOnlyList<double>>().ToList();
        foreach (var list in lists.Where(list => !Lists.ContainsKey(list.Count)).Take(1))
            yield return new(
                "WeightedAdapter.BlockWeights", $"{list.Count} numbers", "the list must have 12, 17, 20 or 26 numbers",
                "12 and 20 are for SDXL, 17 and 26 for SD 1.x and 2.x; 12 and 17 leave out blocks without attention");
        if (lists.Select(list => list.Count).Distinct().Count() > 1)
            yield return new("WeightedAdapter.BlockWeights", string.Join(" and ", lists.Select(list => list.Count).Distinct()),
                "all lists must have the same length", "give each adapter a list of the same kind");
    }

    /// <summary>The factor of a layer; 1 where the list says nothing about it.</summary>
    /// <param name="weights">The list; null for 1 everywhere.</param>
    /// <param name="layer">The adapter's name.</param>
    public static double Of(IReadOnlyList<double>? weights, string layer)
    {
        if (weights is null) return 1;
        var (isSdxl, places) = Lists[weights.Count];
        var place = Array.IndexOf(places, layer.Contains("text_model_encoder_", StringComparison.Ordinal) ? 0
            : isSdxl ? SdxlPlace(layer) : Place(layer));
        return place < 0 ? 1 : weights[place];
    }

    private static int Place(string layer)
    {
        if (layer.Contains("mid_block_", StringComparison.Ordinal)) return 13;
        if (Stage().Match(layer) is not { Success: true } stage) return -1;
        var (isDown, number, kind, inner) = (stage.Groups[1].Value == "down", Number(stage, 2), stage.Groups[3].Value, Number(stage, 4));
        var isSampler = kind.EndsWith("samplers", StringComparison.Ordinal);
        if (isSampler && isDown != (kind == "downsamplers")) return -1;
        // The first input block is the convolution, which has no adapter.
        return isDown ? 1 + (isSampler ? 3 * (number + 1) : 3 * number + inner + 1) : 14 + 3 * number + (isSampler ? 2 : inner);
    }

    private static int SdxlPlace(string layer)
    {
        if (SingleFile().Match(layer) is not { Success: true } block) return -1;
        return block.Groups[1].Value switch
        {
            "input_blocks" => 1 + Number(block, 2),
            "middle_block" => 13,
            _ => 14 + Number(block, 2),
        };
    }

    private static int Number(Match match, int group) => int.Parse(match.Groups[group].Value, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"(up|down)_blocks_(\d+)_(resnets|upsamplers|downsamplers|attentions)_(\d+)_")]
    private static partial Regex Stage();

    [GeneratedRegex(@"^lora_unet_(input_blocks|middle_block|output_blocks)_(\d+)_")]
    private static partial Regex SingleFile();
}
