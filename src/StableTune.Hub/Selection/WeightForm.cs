using System.Text.RegularExpressions;

namespace StableTune.Hub;

/// <summary>One form in which a folder holds its weights: a single file, or an index with its shards.</summary>
/// <param name="Stem">The name before everything else: "diffusion_pytorch_model", "model", "pytorch_model".</param>
/// <param name="Variant">"fp16", "non_ema" ...; null for none.</param>
/// <param name="Safetensors">Whether it is safetensors, or torch's pickle (".bin").</param>
/// <param name="Files">The paths of all its files.</param>
/// <param name="Shards">How many shards there should be; 0 for a single file.</param>
internal sealed partial record WeightForm(string Stem, string? Variant, bool Safetensors, IReadOnlyList<string> Files, int Shards)
{
    /// <summary>Whether every shard and the index are there.</summary>
    public bool IsComplete => Shards == 0 || Files.Count == Shards + 1;

    /// <summary>How many shards are missing.</summary>
    public int Lacking => IsComplete ? 0 : Shards + 1 - Files.Count;

    /// <summary>Whether a file's name is that of an index of shards.</summary>
    public static bool IsIndex(string fileName) => Index().IsMatch(fileName);

    /// <summary>Whether a file's name is that of weights or of an index of theirs.</summary>
    public static bool IsWeights(string fileName) => Single().IsMatch(fileName) || Shard().IsMatch(fileName) || Index().IsMatch(fileName);

    /// <summary>The forms among the files of one folder.</summary>
    /// <param name="paths">Files that lie directly in the folder.</param>
    public static IReadOnlyList<WeightForm> In(IReadOnlyList<string> paths)
    {
        List<WeightForm> forms = [];
        Dictionary<(string Stem, string? Variant, bool Safetensors), (List<string> Files, int Shards, bool HasIndex)> sharded = [];
        foreach (var path in paths)
        {
            var file = path[(path.LastIndexOf('/') + 1)..];
            if (Shard().Match(file) is { Success: true } shard)
            {
                var key = Key(shard);
                var known = sharded.GetValueOrDefault(key, ([], 0, false));
                known.Item1.Add(path);
                sharded[key] = (known.Item1, int.Parse(shard.Groups["of"].ValueSpan, System.Globalization.CultureInfo.InvariantCulture),
                    known.Item3);
            }
            else if (Index().Match(file) is { Success: true } index)
            {
                var known = sharded.GetValueOrDefault(Key(index), ([], 0, false));
                known.Item1.Add(path);
                sharded[Key(index)] = (known.Item1, known.Item2, true);
            }
            else if (Single().Match(file) is { Success: true } single)
            {
                var (stem, variant, safetensors) = Key(single);
                forms.Add(new WeightForm(stem, variant, safetensors, [path], 0));
            }
        }

        // An index alone promises one shard at least; shards without an index cannot be put together.
        forms.AddRange(from form in sharded
                       where form.Value.HasIndex
                       select new WeightForm(form.Key.Stem, form.Key.Variant, form.Key.Safetensors, form.Value.Files,
                           Math.Max(1, form.Value.Shards)));
        return forms;
    }

    /// <summary>
    /// The form to take: the wanted variant before none, safetensors before torch's, complete before incomplete, one file before shards.
    /// A variant that was
    /// not wanted is never taken.
    /// </summary>
    public static WeightForm? Best(IEnumerable<WeightForm> forms, string? variant) => forms
        .Where(form => form.Variant is null || form.Variant == variant)
        .OrderBy(form => form.IsComplete ? 0 : 1)
        .ThenBy(form => form.Safetensors ? 0 : 1)
        .ThenBy(form => form.Variant == variant ? 0 : 1)
        .ThenBy(form => form.Shards == 0 ? 0 : 1)
        .ThenBy(form => form.Stem, StringComparer.Ordinal).FirstOrDefault();

    private static (string Stem, string? Variant, bool Safetensors) Key(Match match)
    {
        var variant = match.Groups["variant"] is { Success: true } group ? group.Value : null;
        return (match.Groups["stem"].Value, variant, match.Groups["kind"].Value == "safetensors");
    }

    // diffusers and transformers have put the variant in several places over the years: before the number, behind it, before and behind
    // ".index".
    private const string Stems = "^(?<stem>diffusion_pytorch_model|pytorch_model|model)";
    private const string Between = @"(\.(?<variant>(?!safetensors|bin|index|json)[A-Za-z0-9_]+))?";

    [GeneratedRegex(Stems + Between + @"\.(?<kind>safetensors|bin)\z")]
    private static partial Regex Single();

    [GeneratedRegex(Stems + Between + @"-\d{5}-of-(?<of>\d{5})" + Between + @"\.(?<kind>safetensors|bin)\z")]
    private static partial Regex Shard();

    [GeneratedRegex(Stems + Between + @"\.(?<kind>safetensors|bin)\.index" + Between + @"\.json\z")]
    private static partial Regex Index();
}
