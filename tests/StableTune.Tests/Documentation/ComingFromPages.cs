using System.Text;
using System.Text.RegularExpressions;
using StableTune.Configuration;
using StableTune.Tests.Configuration;

namespace StableTune.Tests.Documentation;

/// <summary>The tables of the pages <c>docs/coming-from-*.md</c>, made from the catalogue of options itself.</summary>
internal static partial class ComingFromPages
{
    private static readonly RunScript[] s_scripts =
    [
        RunScript.Network, RunScript.DreamBooth, RunScript.FineTune, RunScript.TextualInversion, RunScript.ExtendedTextualInversion,
        RunScript.ControlNet,
    ];

    /// <summary>The pages, each with what stands between its markers.</summary>
    public static readonly IReadOnlyDictionary<string, Func<string>> All = new Dictionary<string, Func<string>>
    {
        ["coming-from-sd-scripts.md"] = SdScripts,
        ["coming-from-sd-trainer.md"] = () => Translated(SdTrainerStyle.Options, SdTrainerStyle.CanonicalOf),
        ["coming-from-ppdiffusers.md"] = () => Translated(PpDiffusersStyle.Options, PpDiffusersStyle.CanonicalOf),
    };

    private static string SdScripts()
    {
        var text = new StringBuilder();
        foreach (var section in OptionTable.Sections)
        {
            text.Append($"\n### {section.Title}\n\n| option | value | default | in code | |\n|---|---|---|---|---|\n");
            foreach (var row in section.Rows)
                text.Append($"| `{row.Name}` | {Cell(row.Kind.Name)} | {Default(row)} | {InCode(row)} | {Cell(Says(row))} |\n");
        }

        return text.ToString();
    }

    private static string Translated(IReadOnlyList<RunOption> options, Func<string, string?> canonicalOf)
    {
        var text = new StringBuilder("\n| option | value | default | sd-scripts' name | |\n|---|---|---|---|---|\n");
        foreach (var row in options)
        {
            var canonical = canonicalOf(row.Name);
            var state = canonical is null ? row : OptionTable.Of(canonical) with { Help = row.Help, Aliases = row.Aliases };
            text.Append($"| `{row.Name}` | {Cell(row.Kind.Name)} | {Default(row)} | {(canonical is null ? "" : $"`{canonical}`")} | "
                + $"{Cell(Says(state with { Scripts = RunScript.All }))} |\n");
        }

        return text.ToString();
    }

    /// <summary>What the option does, which programs have it, and whether it is refused.</summary>
    private static string Says(RunOption row)
    {
        var text = new StringBuilder(row.Help);
        if (row.Aliases.Count > 0) text.Append($"; also `{string.Join("`, `", row.Aliases)}`");
        if (row.Scripts != RunScript.All) text.Append($" ({OptionTable.CommandOf(row.Scripts)})");
        if (row.Refusal is { } refusal) text.Append($". **Refused**: {refusal}");
        if (row.NoEffect is { } noEffect) text.Append($". **No effect**: {noEffect}");
        return text.ToString();
    }

    private static string Default(RunOption row) => row.DefaultText is { Length: > 0 } text ? $"`{Cell(text)}`" : "";

    private static string Cell(string text) => text.Replace("|", "\\|", StringComparison.Ordinal);

    /// <summary>What an option changes in the plan, found by giving it.</summary>
    private static string InCode(RunOption row)
    {
        if (row.Refusal is not null || row.NoEffect is not null) return "";
        foreach (var script in s_scripts.Where(script => row.Scripts.HasFlag(script)))
        {
            if (OptionNameTests.PlanWith(row, script) is not { } plans) continue;
            var members = PlanComparison.Differences(plans.With, plans.Without).Select(Member).Distinct().ToList();
            // What lies inside of another member that changed goes without saying.
            members.RemoveAll(one => members.Any(other => one.StartsWith(other + ".", StringComparison.Ordinal)));
            if (members.Count == 0) continue;
            return string.Join(", ", members.Take(2).Select(member => $"`{member}`")) + (members.Count > 2 ? " …" : "");
        }

        return "";
    }

    /// <summary>"Trainables[0].Adapter.Rank is 7, and was 4" is about <c>Trainables[].Adapter.Rank</c>.</summary>
    private static string Member(string difference) =>
        Index().Replace(difference[..difference.IndexOf(" is ", StringComparison.Ordinal)], "[]");

    [GeneratedRegex(@"\[\d+\]")]
    private static partial Regex Index();
}
