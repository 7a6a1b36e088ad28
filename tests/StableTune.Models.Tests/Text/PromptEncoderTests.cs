using StableTune.Testing;

namespace StableTune.Models.Tests;

public sealed class PromptEncoderTests : ClipPromptGolden
{
    private static readonly ClipTokenizer Tokenizer = new(ClipVocabulary.Embedded(FixtureModels.TinyMergeCount));

    private readonly ClipTextModel _model;
    private readonly ClipPromptEncoder _encoder;

    public PromptEncoderTests()
        : base("tiny-sd15")
    {
        _model = ClipTextModelTests.LoadTiny();
        _encoder = new ClipPromptEncoder(Tokenizer, _model);
    }

    private protected override IPromptEncoder Encoder => _encoder;

    public override void Dispose()
    {
        _model.Dispose();
        base.Dispose();
    }

    [Theory]
    [InlineData(75, "ids_77")]
    [InlineData(225, "ids_225")]
    public void EncodePadded_Texts_GiveTheReferencesIds(int maxTokenLength, string expected) =>
        AssertIds(expected, Tokenizer, maxTokenLength);

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
        _model.SetRequiresGrad(true);
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
}
