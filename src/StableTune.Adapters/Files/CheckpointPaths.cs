using System.Text.RegularExpressions;
using System.Globalization;

namespace StableTune.Adapters;

/// <summary>
/// The paths that a UNet's layers have in single-file checkpoints, whose blocks are numbered through. They follow from the tree alone: how
/// many resnets each block has, and which blocks attend and resample.
/// </summary>
internal sealed partial class CheckpointPaths
{
    private static readonly Dictionary<string, string> Ends = new(StringComparer.Ordinal)
    {
        ["conv_in"] = "input_blocks.0.0", ["conv_norm_out"] = "out.0", ["conv_out"] = "out.2",
        ["time_embedding.linear_1"] = "time_embed.0", ["time_embedding.linear_2"] = "time_embed.2",
        ["add_embedding.linear_1"] = "label_emb.0.0", ["add_embedding.linear_2"] = "label_emb.0.2",
        ["mid_block.resnets.0"] = "middle_block.0", ["mid_block.attentions.0"] = "middle_block.1",
        ["mid_block.resnets.1"] = "middle_block.2",
    };

    private static readonly Dictionary<string, string> Resnet = new(StringComparer.Ordinal)
    {
        ["norm1"] = "in_layers.0", ["conv1"] = "in_layers.2", ["time_emb_proj"] = "emb_layers.1",
        ["norm2"] = "out_layers.0", ["conv2"] = "out_layers.3", ["conv_shortcut"] = "skip_connection",
    };

    private readonly Dictionary<string, string> _blocks = new(Ends, StringComparer.Ordinal);

    /// <summary>Numbers the blocks.</summary>
    /// <param name="paths">The paths of all layers of the UNet.</param>
    public CheckpointPaths(IEnumerable<string> paths)
    {
        var parts = paths.Select(path => Block().Match(path)).Where(match => match.Success)
            .Select(match => (Way: match.Groups["way"].Value, Level: Number(match, "level"), Kind: match.Groups["kind"].Value,
                Layer: Number(match, "layer")))
            .Distinct().ToLookup(part => (part.Way, part.Level));
        // Block 0 of the inputs is conv_in; a downsampler is a block of its own behind its level.
        var place = 1;
        foreach (var level in parts.Where(level => level.Key.Way == "down").OrderBy(level => level.Key.Level))
        {
            foreach (var part in level) Add(part, $"input_blocks.{place + part.Layer}.{(part.Kind == "resnets" ? 0 : 1)}");
            place += level.Count(part => part.Kind == "resnets");
            if (level.Any(part => part.Kind == "downsamplers"))
                _blocks[$"down_blocks.{level.Key.Level}.downsamplers.0.conv"] = $"input_blocks.{place++}.0.op";
        }

        // An upsampler shares a block with the last resnet of its level, behind the transformer if there is one.
        place = 0;
        foreach (var level in parts.Where(level => level.Key.Way == "up").OrderBy(level => level.Key.Level))
        {
            foreach (var part in level) Add(part, $"output_blocks.{place + part.Layer}.{(part.Kind == "resnets" ? 0 : 1)}");
            place += level.Count(part => part.Kind == "resnets");
            _blocks[$"up_blocks.{level.Key.Level}.upsamplers.0.conv"] =
                $"output_blocks.{place - 1}.{(level.Any(part => part.Kind == "attentions") ? 2 : 1)}.conv";
        }

        void Add((string Way, int Level, string Kind, int Layer) part, string block) =>
            _blocks[$"{part.Way}_blocks.{part.Level}.{part.Kind}.{part.Layer}"] = block;
    }

    /// <summary>The layer's path in a checkpoint; null where it has none.</summary>
    /// <param name="path">Its path in the module.</param>
    public string? Of(string path)
    {
        for (var end = path.Length; end > 0; end = path.LastIndexOf('.', end - 1))
            if (_blocks.TryGetValue(path[..end], out var block))
                return block + (end == path.Length ? "" : "." + Resnet.GetValueOrDefault(path[(end + 1)..], path[(end + 1)..]));
        return null;
    }

    private static int Number(Match match, string group) => int.Parse(match.Groups[group].Value, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"^(?<way>down|up)_blocks\.(?<level>\d{1,4})\.(?<kind>resnets|attentions|downsamplers)\.(?<layer>\d{1,4})\.")]
    private static partial Regex Block();
}
