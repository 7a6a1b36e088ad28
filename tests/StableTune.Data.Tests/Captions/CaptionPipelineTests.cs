using System.Text.Json;
using StableTune.Testing;

namespace StableTune.Data.Tests;

public sealed class CaptionPipelineTests
{
    private static JsonElement Cases { get; } = JsonDocument.Parse(File.ReadAllBytes(Fixtures.Path("data", "captions.json"))).RootElement;

    [Fact]
    public void Deterministic_EveryCase_IsTheReferences()
    {
        var cases = Cases.GetProperty("deterministic").EnumerateArray().Where(c => c.GetProperty("caption").GetString() != Uncertain)
            .ToList();
        Assert.Equal((139, 5), (cases.Count, cases.Count(c => c.TryGetProperty("replacements", out _))));
        Assert.All(cases, c => Assert.All(Enumerable.Range(0, 20), seed =>
            Assert.Equal(c.GetProperty("result").GetString(), Apply(c, new RandomStream(seed)))));
    }

    /// <summary>No certain case, although it stands among them: the other result is as likely, as the list of random cases shows for
    /// "{{{a|b}}}".</summary>
    private const string Uncertain = "{{{same|same}}}";

    [Fact]
    public void Wildcard_WithAnInnerBrace_IsCutAsInTheReference()
    {
        var c = Assert.Single(Cases.GetProperty("deterministic").EnumerateArray(), c => c.GetProperty("caption").GetString() == Uncertain);
        Assert.Equal("{same", c.GetProperty("result").GetString());
        Assert.Equal(["{same", "{same}"],
            Enumerable.Range(0, 200).Select(seed => Apply(c, new RandomStream(seed))).Distinct().Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Random_EveryCase_GivesAllPossibleResultsAndNoOther()
    {
        Assert.Equal(18, Cases.GetProperty("random").GetArrayLength());
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
        Assert.Equal(24, Cases.GetProperty("token_warmup_counts").GetArrayLength());
        foreach (var c in Cases.GetProperty("token_warmup_counts").EnumerateArray())
        {
            var pipeline = CaptionPipeline.From(new CaptionOptions
            {
                WarmupMin = c.GetProperty("token_warmup_min").GetInt32(),
                WarmupSteps = c.GetProperty("token_warmup_step").GetDouble(),
            });
            var caption = string.Join(",", Enumerable.Range(0, c.GetProperty("tags").GetInt32()).Select(i => $"t{i}"));
            var counts = Enumerable.Range(0, 12)
                .Select(step => pipeline.Apply(caption, new(1, step, c.GetProperty("max_train_steps").GetInt32(), new(1))))
                .Select(result => result.Length == 0 ? 0 : result.Split(',').Length);
            Assert.Equal(c.GetProperty("tag_count_at_step").EnumerateArray().Select(count => count.GetInt32()), counts);
        }
    }

    [Fact]
    public void VaryingOptions_NamesWhatPreventsACache()
    {
        Assert.Empty(CaptionPipeline.From(
            new CaptionOptions { Prefix = "a", Suffix = "b", KeepTokens = 2, SecondarySeparator = ";" }).VaryingOptions);
        var varying = CaptionPipeline.From(new CaptionOptions { DropoutRate = 0.1, Wildcard = true, Shuffle = true }).VaryingOptions;
        Assert.Equal([new("CaptionOptions.DropoutRate", 0.1), new("CaptionOptions.Wildcard", true), new("CaptionOptions.Shuffle", true)],
            varying);
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

    /// <summary>What textual inversion does after all else: an empty word stands for the whole caption, a list for one of its
    /// texts.</summary>
    private sealed class Replacements(JsonElement words) : ICaptionStep
    {
        public VaryingOption? VariesBecauseOf => null;

        public string Apply(string caption, in CaptionUse use)
        {
            foreach (var word in words.EnumerateObject())
            {
                var text = word.Value.ValueKind == JsonValueKind.Array
                    ? word.Value[use.Random.Next(word.Value.GetArrayLength())].GetString()! : word.Value.GetString()!;
                caption = word.Name.Length == 0 ? text : caption.Replace(word.Name, text, StringComparison.Ordinal);
            }

            return caption;
        }
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
            Further = c.TryGetProperty("replacements", out var replacements) ? [new Replacements(replacements)] : [],
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
