using StableTune.Testing;

namespace StableTune.Tests.Documentation;

/// <summary>The pages for those who come from other programs say what the catalogue of options says.</summary>
public sealed class ComingFromTests
{
    private const string Begin = "<!-- options: written by tests/write-docs.sh -->\n", End = "<!-- end of options -->";

    public static TheoryData<string> Pages => [.. ComingFromPages.All.Keys];

    [Theory]
    [MemberData(nameof(Pages))]
    public void EveryPage_SaysWhatTheCatalogueSays(string page)
    {
        var path = Path.Combine(Fixtures.Repository, "docs", page);
        var text = File.ReadAllText(path).ReplaceLineEndings("\n");
        var (begin, end) = (text.IndexOf(Begin, StringComparison.Ordinal), text.IndexOf(End, StringComparison.Ordinal));
        Assert.True(begin >= 0 && end > begin, $"{page} lacks the markers of its table");
        var made = text[..(begin + Begin.Length)] + ComingFromPages.All[page]() + "\n" + text[end..];
        if (Environment.GetEnvironmentVariable("STABLETUNE_WRITE_DOCS") == "1") File.WriteAllText(path, made);
        else Assert.True(made == text, $"docs/{page} is out of date at: {FirstDifference(text, made)}\nRun: bash tests/write-docs.sh");
    }

    [Fact]
    public void TheTables_NameOptionsWithWhatTheyChange()
    {
        var sdScripts = ComingFromPages.All["coming-from-sd-scripts.md"]();
        Assert.Contains("| `gradient_checkpointing` | true or false |  | `GradientCheckpointing` |", sdScripts);
        Assert.Contains("| `network_dim` | a whole number |", sdScripts);
        Assert.Contains("**Refused**", sdScripts);
        Assert.Contains("| `train.lr` |", ComingFromPages.All["coming-from-sd-trainer.md"]());
        Assert.Contains("| `initializer_token` | a text |  | `init_word` |", ComingFromPages.All["coming-from-ppdiffusers.md"]());
    }

    private static string FirstDifference(string text, string made)
    {
        var (lines, wanted) = (text.Split('\n'), made.Split('\n'));
        var at = lines.Zip(wanted).TakeWhile(pair => pair.First == pair.Second).Count();
        return $"line {at + 1}: {wanted.ElementAtOrDefault(at)}";
    }
}
