using System.Text.Json;

namespace StableTune.Models.Tests;

public class PromptAttentionTests
{
    private static readonly JsonElement[] Cases = TokenizerCases.Read("weighted_cases.json");

    [Fact]
    public void Parse_AllCases_AgreeWithTheReference()
    {
        Assert.NotEmpty(Cases);
        foreach (var item in Cases)
        {
            if (item.TryGetProperty("error", out _))
            {
                Assert.Throws<FormatException>(() => PromptAttention.Parse(item.Text()));
                continue;
            }

            var expected = item.GetProperty("parsed").EnumerateArray()
                .Select(part => new PromptPart(part[0].GetString()!, part[1].GetDouble())).ToArray();
            var actual = PromptAttention.Parse(item.Text());
            Assert.True(expected.SequenceEqual(actual), $"{item.Text()}: got {string.Join(' ', actual)}");
        }
    }

    [Theory]
    [InlineData("v1", 75)]
    [InlineData("v1", 225)]
    [InlineData("v2", 75)]
    [InlineData("v2", 225)]
    public void EncodeWeighted_AllCases_AgreeWithTheReference(string version, int maxTokenLength)
    {
        var tokenizer = version == "v1" ? ClipTokenizer.Sd1() : ClipTokenizer.Sd2();
        foreach (var item in Cases.Where(item => !item.TryGetProperty("error", out _)))
        {
            var tokens = tokenizer.EncodeWeighted(item.Text(), maxTokenLength);
            Assert.Equal(item.Chunks($"ids_{version}_{maxTokenLength}").SelectMany(row => row), tokens.Ids.SelectMany(row => row));
            var expected = item.Weights($"weights_{version}_{maxTokenLength}");
            var actual = tokens.Weights.SelectMany(row => row).ToArray();
            Assert.Equal(expected.Length, actual.Length);
            for (var i = 0; i < expected.Length; i++) Assert.True(
                MathF.Abs(expected[i] - actual[i]) <= 1e-6f, $"{item.Text()}: weight {i} is {actual[i]}, not {expected[i]}");
        }
    }

    [Theory]
    [InlineData("(a:1.1.1)")]
    [InlineData("(a:.)")]
    public void Parse_WeightNoNumber_NamesIt(string prompt) =>
        Assert.Contains(prompt[3..^1], Assert.Throws<FormatException>(() => PromptAttention.Parse(prompt)).Message,
            StringComparison.Ordinal);

    [Fact]
    public void Parse_WeightBeyondNumbers_NamesThePart()
    {
        var large = new string('9', 30);
        Assert.Contains("\"cat\"", Assert.Throws<FormatException>(() => PromptAttention.Parse($"a (cat:{large}{large})")).Message,
            StringComparison.Ordinal);
        Assert.Throws<FormatException>(() => PromptAttention.Parse($"((cat:{large}):{large})"));
        Assert.Equal(2000, PromptAttention.Parse("(cat:2000)")[0].Weight);
    }

    [Fact]
    public void Parse_NestedTooDeep_SaysSo()
    {
        var error = Assert.Throws<FormatException>(() => PromptAttention.Parse(new string('(', 1_000_000)));
        Assert.Contains("200", error.Message, StringComparison.Ordinal);
    }
}
