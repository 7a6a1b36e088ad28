namespace StableTune.Models.Tests.Text;

public sealed class IdentifierCheckTests
{
    [Fact]
    public void Of_WordsThatOthersUse_FindsThemGood()
    {
        var reports = IdentifierCheck.Tried.Select(word => IdentifierCheck.Of(word, ClipTokenizer.Sd1())).ToList();
        Assert.All(reports, report => Assert.True(report.WasTried));
        Assert.All(reports, report => Assert.Equal(report.IsOneToken && !report.IsFrequent, report.Warnings.Count == 0));
        Assert.True(reports.Count(report => report.Warnings.Count == 0) >= reports.Count - 4,
            string.Join(' ', reports.SelectMany(report => report.Warnings)));
    }

    [Theory]
    [InlineData("dog", "frequent")]
    [InlineData("sks", "rifle")]
    [InlineData("qwxzvk", "tokens")]
    [InlineData("mountain", "more than 3 letters")]
    public void Of_WordsThatDoNotSuit_SaysWhy(string word, string reason) =>
        Assert.Contains(IdentifierCheck.Of(word, ClipTokenizer.Sd1()).Warnings, warning =>
            warning.Contains(reason, StringComparison.Ordinal));

    [Fact]
    public void Of_KnowsTokensAndRank()
    {
        var report = IdentifierCheck.Of("sks", ClipTokenizer.Sd1());
        Assert.Equal((true, 48136), (report.IsOneToken, report.Rank));
        Assert.Null(IdentifierCheck.Of("qwxzvk", ClipTokenizer.Sd1()).Rank);
        Assert.Throws<ArgumentException>(() => IdentifierCheck.Of(" ", ClipTokenizer.Sd1()));
    }
}
