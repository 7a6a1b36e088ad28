using StableTune.Checkpoints;
using StableTune.Testing;

namespace StableTune.Models.Tests;

public sealed class SequencePromptEncoderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly StableDiffusionModel _model;
    private readonly IPromptEncoder _encoder;
    private readonly IDisposable _frozen = no_grad();

    public SequencePromptEncoderTests()
    {
        _model = ModelLoader.Load(BertModels.Taiyi(_folder), new ModelLoadOptions { Parts = ModelParts.TextEncoder });
        _encoder = PromptEncoder.For(_model);
    }

    public void Dispose()
    {
        _frozen.Dispose();
        _model.Dispose();
        _scope.Dispose();
        _folder.Dispose();
    }

    private MaskedTextModel Text => (MaskedTextModel)_model.TextEncoder;

    [Fact]
    public void Encode_IsTheHiddenStateOfTheRow()
    {
        var conditions = _encoder.Encode(["一只红色的猫", ""]);
        var rows = new[] { "一只红色的猫", "" }.Select(text => tensor(_model.Tokenizer.EncodePadded(text)[0]).unsqueeze(0)).ToArray();
        Assert.True(conditions.Context.Equals(Text.HiddenState(cat(rows, 0))));
        Assert.Null(conditions.Pooled);
        Assert.Equal(3, _encoder.LargestClipSkip);
        Assert.True(_encoder.Encode(["猫"], clipSkip: 2).Context.Equals(
            Text.HiddenState(tensor(_model.Tokenizer.EncodePadded("猫")[0]).unsqueeze(0), clipSkip: 2)));
    }

    [Fact]
    public void Encode_LongCaption_IsOneRow()
    {
        var caption = string.Concat(Enumerable.Repeat("猫", 90));
        Assert.Equal([1, 100, 48], _encoder.Encode([caption], maxTokenLength: 98).Context.shape);
        Assert.Equal([1, 12, 48], _encoder.Encode([caption], maxTokenLength: 10).Context.shape);
        var error = Assert.Throws<ArgumentOutOfRangeException>(() => _encoder.Encode([caption], maxTokenLength: 150));
        Assert.Contains("98 tokens of text", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => _encoder.Encode([caption], maxTokenLength: 0));
        Assert.Throws<ArgumentException>(() => _encoder.Encode([]));
    }

    [Fact]
    public void Encode_UnderTheMask_DoesNotDependOnTheLengthOfTheRow()
    {
        Tensor Of(int length) => _encoder.Encode(["一只红色的猫"], maxTokenLength: length).Context.narrow(1, 0, 8);
        Assert.True((Of(20) - Of(75)).abs().max().ToDouble() > 1e-3);   // padding is text to the encoder
        Text.UseAttentionMask = true;
        Assert.InRange((Of(20) - Of(75)).abs().max().ToDouble(), 0, 1e-5);
    }

    [Fact]
    public void EncodeWeighted_MultipliesEachTokensVector()
    {
        var plain = _encoder.Encode(["一只红色的猫"]).Context;
        var weighted = _encoder.EncodeWeighted(["一只(红色:1.5)的猫"]).Context;
        var factors = ones(77);
        factors[3].fill_(1.5);
        factors[4].fill_(1.5);
        Assert.InRange((weighted - plain * factors.view(1, -1, 1)).abs().max().ToDouble(), 0, 1e-6);
        var rescaled = _encoder.EncodeWeighted(["一只(红色:1.5)的猫"], rescale: true).Context;
        Assert.Equal(plain.mean().ToDouble(), rescaled.mean().ToDouble(), 1e-5);
    }

    [Fact]
    public void EncodeForSampling_GrowsWithThePromptsAsFarAsTheEncoderGoes()
    {
        Assert.Equal([2, 77, 48], _encoder.EncodeForSampling(["一只红色的猫", ""]).Context.shape);
        Assert.Equal([2, 100, 48], _encoder.EncodeForSampling([string.Concat(Enumerable.Repeat("猫", 80)), ""]).Context.shape);
        Assert.True(_encoder.EncodeForSampling(["猫"]).Context.Equals(_encoder.Encode(["猫"]).Context));
    }

    [Fact]
    public void Constructor_TokenizerOfAnotherModel_IsRefused()
    {
        Assert.Throws<ArgumentException>(() => new SequencePromptEncoder(ClipTokenizer.Sd1(), Text));
        using var small = new BertTextModel(BertTextOptions.Tiny with { PositionRows = 60 });
        Assert.Throws<ArgumentException>(() => new SequencePromptEncoder(_model.Tokenizer, small));
    }
}
