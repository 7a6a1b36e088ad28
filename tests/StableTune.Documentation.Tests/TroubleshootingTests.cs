using System.Text.RegularExpressions;
using StableTune.Testing;

namespace StableTune.Documentation.Tests;

/// <summary>Every message that the page on troubleshooting explains is one that the code can say.</summary>
public sealed partial class TroubleshootingTests
{
    private static readonly Lazy<string[]> s_sources = new(() =>
        [.. Directory.EnumerateFiles(Path.Combine(Fixtures.Repository, "src"), "*.cs", SearchOption.AllDirectories)
            .Where(file => !file.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal))
            .Select(file => Joint().Replace(File.ReadAllText(file), "").Replace("\\\"", "\"", StringComparison.Ordinal))]);

    public static TheoryData<string> Messages =>
        [.. Heading().Matches(File.ReadAllText(Path.Combine(Fixtures.Repository, "docs", "troubleshooting.md")))
            .Select(match => match.Groups["message"].Value)];

    [Theory]
    [MemberData(nameof(Messages))]
    public void AMessageThatIsExplained_IsInTheCode(string message) =>
        Assert.True(s_sources.Value.Any(source => Says(source, message)), $"no code says: {message}");

    [Fact]
    public void AMessageThatNobodySays_IsFound()
    {
        Assert.False(Says("throw new IOException($\"the file {name} is gone.\");", "the file … was lost."));
        Assert.True(Says("throw new IOException($\"the file {name} is gone.\");", "the file … is gone."));
        Assert.True(Messages.Count > 20);
    }

    /// <summary>Whether the parts between ellipses follow each other.</summary>
    private static bool Says(string source, string message)
    {
        var at = 0;
        foreach (var part in message.Split('…', StringSplitOptions.RemoveEmptyEntries))
        {
            var found = source.IndexOf(part, at, StringComparison.Ordinal);
            if (found < 0) return false;
            at = found + part.Length;
        }

        return true;
    }

    [GeneratedRegex(@"^### `(?<message>[^\n]+)`$", RegexOptions.Multiline)]
    private static partial Regex Heading();

    /// <summary>Where a text goes on in the next line.</summary>
    [GeneratedRegex("\"\\s*\\+\\s*\\$?\"")]
    private static partial Regex Joint();
}
