using System.Text.Json;
using StableTune.Testing;

namespace StableTune.Models.Tests;

public sealed class PromptEncoderTests : IDisposable
{
    private const double Tolerance = 1e-5;

    private static readonly ClipTokenizer Tokenizer = new(ClipVocabulary.Embedded(FixtureModels.TinyMergeCount));

    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly Golden _golden = Golden.Open("components", "tiny-sd15", "text.safetensors");
    private readonly ClipTextModel _model = ClipTextModelTests.LoadTiny();
    private readonly ClipPromptEncoder _encoder;

    public PromptEncoderTests() => _encoder = new ClipPromptEncoder(Tokenizer, _model);

    public void Dispose()
    {
        _model.Dispose();
        _golden.Dispose();
        _scope.Dispose();
    }

    [Theory]
    [InlineData("texts", 75, "ids_77")]
    [InlineData("texts", 225, "ids_225")]
    public void EncodePadded_Texts_GiveTheReferencesIds(string texts, int maxTokenLength, string expected)
    {
        var ids = Texts(texts).SelectMany(text => Tokenizer.EncodePadded(text, maxTokenLength)).SelectMany(row => row).ToArray();
        _golden.AssertEqual(expected, tensor(ids, _golden[expected].shape));
    }

    [Theory]
    [InlineData(75, 1, "hidden_77")]
    [InlineData(75, 2, "hidden_77_clipskip2")]
    [InlineData(75, 3, "hidden_77_clipskip3")]
    [InlineData(225, 1, "hidden_225")]
    [InlineData(225, 2, "hidden_225_clipskip2")]
    public void Encode_Texts_AgreesWithTheReference(int maxTokenLength, int clipSkip, string expected)
    {
        using var frozen = no_grad();
        _golden.AssertClose(expected, _encoder.Encode(Texts("texts"), clipSkip, maxTokenLength).Context, Tolerance);
    }

    [Theory]
    [InlineData(75, 1, "weighted_hidden_77")]
    [InlineData(75, 2, "weighted_hidden_77_clipskip2")]
    [InlineData(75, 3, "weighted_hidden_77_clipskip3")]
    [InlineData(225, 1, "weighted_hidden_225")]
    public void EncodeWeighted_Texts_AgreesWithTheReference(int maxTokenLength, int clipSkip, string expected)
    {
        using var frozen = no_grad();
        _golden.AssertClose(expected, _encoder.EncodeWeighted(Texts("weighted_texts"), clipSkip, maxTokenLength).Context, Tolerance);
    }

    [Theory]
    [InlineData(1, "")]
    [InlineData(2, "_clipskip2")]
    public void EncodeForSampling_Prompts_AgreesWithTheReference(int clipSkip, string suffix)
    {
        using var frozen = no_grad();
        using var golden = Golden.Open("components", "tiny-sd15", "sampling_prompts.safetensors");
        using var document = JsonDocument.Parse(File.ReadAllBytes(Fixtures.Path("components", "tiny-sd15", "sampling_prompts.json")));
        var index = 0;
        foreach (var item in document.RootElement.GetProperty("prompts").EnumerateArray())
        {
            var states = _encoder.EncodeForSampling([item.GetProperty("prompt").GetString()!, item.GetProperty("negative_prompt").GetString()!], clipSkip).Context;
            golden.AssertClose($"{index}.prompt{suffix}", states.narrow(0, 0, 1), Tolerance);
            golden.AssertClose($"{index}.negative{suffix}", states.narrow(0, 1, 1), Tolerance);
            index++;
        }

        Assert.Equal(3, index);
    }

    [Fact]
    public void EncodeForSampling_PaddingOfSd2_IsTheEndToken()
    {
        using var frozen = no_grad();
        var sd2 = new ClipPromptEncoder(new ClipTokenizer(ClipVocabulary.Embedded(FixtureModels.TinyMergeCount), "!"), _model);
        string[] prompts = ["a (red:1.3) cat", ""];
        GoldenComparison.AssertClose("sampling", _encoder.EncodeForSampling(prompts).Context, sd2.EncodeForSampling(prompts).Context, 0);
        Assert.True((_encoder.Encode(prompts).Context - sd2.Encode(prompts).Context).abs().max().ToSingle() > 0.01f);
    }

    [Fact]
    public void EncodeWeighted_WithRescale_KeepsTheMean()
    {
        using var frozen = no_grad();
        var texts = Texts("weighted_texts");
        var plain = texts.Select(text => string.Concat(PromptAttention.Parse(text).Select(part => part.Text))).ToArray();
        // One fragment is tokenized on its own, so compare with the weights set to 1 by hand.
        var weighted = _encoder.EncodeWeighted(texts, rescale: true).Context.mean([1, 2]);
        var unscaled = _encoder.EncodeWeighted(texts).Context.mean([1, 2]);
        var original = _encoder.Encode(plain).Context.mean([1, 2]);
        Assert.True((weighted - original).abs().max().ToSingle() < 1e-4f);
        Assert.True((unscaled - original).abs().max().ToSingle() > 1e-4f);
    }

    [Fact]
    public void Encode_WithGradient_TrainsTheTextEncoder()
    {
        _model.requires_grad_(true);
        _encoder.Encode(["a cat"], maxTokenLength: 150).Context.pow(2).mean().backward();
        Assert.All(_model.parameters(), parameter => Assert.NotNull(parameter.grad));
    }

    [Fact]
    public void Constructor_TokenizerOfAnotherModel_SaysSo()
    {
        var error = Assert.Throws<ArgumentException>(() => new ClipPromptEncoder(ClipTokenizer.Sd1(), _model));
        Assert.Contains("49407", error.Message, StringComparison.Ordinal);
        Assert.Contains("1000", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Encode_NoCaptions_Throws()
    {
        Assert.Throws<ArgumentException>(() => _encoder.Encode([]));
        Assert.Throws<ArgumentException>(() => _encoder.EncodeForSampling([]));
    }

    private static string[] Texts(string name)
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(Fixtures.Path("components", "tiny-sd15", "texts.json")));
        return [.. document.RootElement.GetProperty(name).EnumerateArray().Select(text => text.GetString()!)];
    }
}
