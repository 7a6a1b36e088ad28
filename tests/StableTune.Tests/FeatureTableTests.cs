using System.Text.RegularExpressions;
using StableTune.Testing;

namespace StableTune.Tests;

/// <summary>docs/features.md names pages and test classes: they must exist.</summary>
public sealed partial class FeatureTableTests
{
    private static readonly string Repository = Path.GetDirectoryName(Path.GetDirectoryName(Fixtures.Root))!;
    private static readonly string[] States = ["works", "partly", "not yet"];

    [Fact]
    public void EveryRow_HasAKnownState_APageAndTestClassesThatExist()
    {
        var tests = Directory.EnumerateFiles(Path.Combine(Repository, "tests"), "*Tests.cs", SearchOption.AllDirectories)
            .Select(Path.GetFileNameWithoutExtension).ToHashSet();
        var rows = File.ReadLines(Path.Combine(Repository, "docs", "features.md")).Where(l => Row().IsMatch(l))
            .Select(l => l.Split('|', StringSplitOptions.TrimEntries)).ToArray();
        Assert.True(rows.Length > 250);
        Assert.Equal(rows.Length, rows.Select(r => r[1]).Distinct().Count());
        foreach (var row in rows)
        {
            Assert.Contains(row[3], States);
            if (row[3] == "not yet") continue;
            var pages = Page().Matches(row[5]);
            Assert.NotEmpty(pages);
            Assert.All(pages, page => Assert.True(IsThere(page.Groups["file"].Value, page.Groups["heading"].Value), $"{row[1]}: {page}"));
            Assert.All(row[6].Split(',', StringSplitOptions.TrimEntries), name => Assert.True(tests.Contains(name), $"{row[1]}: {name}"));
            if (row[3] == "partly") Assert.NotEmpty(row[4]);
        }
    }

    private static bool IsThere(string file, string heading)
    {
        var page = Path.Combine(Repository, "docs", file);
        return File.Exists(page) && (heading.Length == 0 || File.ReadLines(page).Any(line => line.StartsWith('#') && heading
            == NotInAnchors().Replace(line.TrimStart('#').Trim().ToLowerInvariant(), "").Replace(' ', '-')));
    }

    [GeneratedRegex(@"[^\w\- ]")]
    private static partial Regex NotInAnchors();

    [GeneratedRegex(@"^\| [A-Z]{3}-\d\d \|")]
    private static partial Regex Row();

    [GeneratedRegex(@"\]\((?<file>[^)#]+)(#(?<heading>[^)]+))?\)")]
    private static partial Regex Page();
}
