using System.Text.RegularExpressions;
using StableTune.Testing;

namespace StableTune.Documentation.Tests;

/// <summary>Links between pages lead somewhere, and every page is reached by them.</summary>
public sealed partial class LinkTests
{
    private static string Docs => Path.Combine(Fixtures.Repository, "docs");

    public static TheoryData<string> Pages => [.. Directory.GetFiles(Docs, "*.md").Append(Path.Combine(Fixtures.Repository, "README.md"))
        .Select(path => Path.GetRelativePath(Fixtures.Repository, path).Replace('\\', '/')).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Pages))]
    public void EveryLink_LeadsToAFileAndAHeading(string page)
    {
        var path = Path.Combine(Fixtures.Repository, page);
        var broken = Targets(path).Where(target => !Exists(target)).Select(target => $"{target.File}#{target.Heading}").Distinct();
        Assert.Empty(broken);
    }

    [Fact]
    public void EveryPage_IsReachedFromTheIndex()
    {
        var (reached, next) = (new HashSet<string>(), new Stack<string>([Path.Combine(Docs, "index.md")]));
        while (next.TryPop(out var page))
            if (reached.Add(page))
                foreach (var target in Targets(page).Select(target => target.File).Where(IsPage)) next.Push(target);
        Assert.Empty(Directory.GetFiles(Docs, "*.md").Except(reached).Select(Path.GetFileName));
    }

    private static bool IsPage(string file) => file.EndsWith(".md", StringComparison.Ordinal) && File.Exists(file);

    private static bool Exists((string File, string Heading) target)
    {
        if (!Path.Exists(target.File)) return false;
        return target.Heading.Length == 0 || !IsPage(target.File) || Headings(target.File).Contains(target.Heading);
    }

    private static IEnumerable<(string File, string Heading)> Targets(string page)
    {
        var text = Fence().Replace(File.ReadAllText(page), "");
        foreach (Match match in Link().Matches(text))
        {
            var parts = match.Groups["target"].Value.Split('#', 2);
            var file = parts[0].Length == 0 ? page : Path.GetFullPath(Path.Combine(Path.GetDirectoryName(page)!, parts[0]));
            yield return (file, parts.Length > 1 ? parts[1] : "");
        }
    }

    /// <summary>Headings as links name them.</summary>
    private static HashSet<string> Headings(string page) => [.. Heading().Matches(Fence().Replace(File.ReadAllText(page), ""))
        .Select(match => Strange().Replace(match.Groups["text"].Value.Trim().ToLowerInvariant(), "").Replace(' ', '-'))];

    [GeneratedRegex(@"\]\((?<target>(?!https?:|mailto:)[^)\s]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex("^#+ (?<text>.*)$", RegexOptions.Multiline)]
    private static partial Regex Heading();

    [GeneratedRegex(@"[^\p{L}\p{N}_\- ]")]
    private static partial Regex Strange();

    [GeneratedRegex("^```.*?^```", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex Fence();
}
