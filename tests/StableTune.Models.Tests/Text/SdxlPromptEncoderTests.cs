using StableTune.Checkpoints;
using StableTune.Tensors;
using StableTune.Testing;

namespace StableTune.Models.Tests;

/// <summary>SDXL's two encoders against transformers and sd-scripts.</summary>
public sealed class SdxlPromptEncoderTests : PromptGolden
{
    private readonly TemporaryFolder _folder = new();
    private readonly StableDiffusionModel _model;
    private readonly IPromptEncoder _encoder;

    public SdxlPromptEncoderTests()
        : base("tiny-sdxl")
    {
        _model = ModelLoader.Load(FixtureModels.TinySdxl(_folder), new ModelLoadOptions { Parts = ModelParts.TextEncoder });
        _encoder = PromptEncoder.For(_model);
    }

    public override void Dispose()
    {
        _model.Dispose();
        base.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void For_TwoEncoders_MakesTheEncoderOfSdxl()
    {
        Assert.IsType<SdxlPromptEncoder>(_encoder);
        Assert.Null(_encoder.LargestClipSkip);
        Assert.Equal(2, _model.TextEncoders.Count);
    }

    [Theory]
    [InlineData(75, "77")]
    [InlineData(225, "225")]
    public void EncodePadded_Texts_GiveTheReferencesIds(int maxTokenLength, string suffix)
    {
        foreach (var (tokenizer, number) in new[] { (_model.Tokenizer, 1), (_model.Tokenizer2, 2) })
        {
            AssertIds($"ids{number}_{suffix}", tokenizer, maxTokenLength);
            AssertWeighted($"weighted_ids{number}_{suffix}", $"weights{number}_{suffix}", tokenizer, maxTokenLength);
        }
    }

    [Theory]
    [InlineData(75, "77")]
    [InlineData(225, "225")]
    public void Encode_Texts_AgreesWithTheReference(int maxTokenLength, string suffix)
    {
        using var frozen = no_grad();
        AssertConditions(_encoder.Encode(Texts("texts"), maxTokenLength: maxTokenLength), "hidden1_", "hidden2_", "pooled_", suffix);
    }

    [Theory]
    [InlineData(75, "77")]
    [InlineData(225, "225")]
    public void EncodeWeighted_Texts_AgreesWithTheReference(int maxTokenLength, string suffix)
    {
        using var frozen = no_grad();
        AssertConditions(
            _encoder.EncodeWeighted(Texts("weighted_texts"), maxTokenLength: maxTokenLength), "weighted_hidden1_", "weighted_hidden2_",
                "weighted_pooled_", suffix);
    }

    [Fact]
    public void Outputs_OfEachEncoder_AgreeWithTheReference()
    {
        using var frozen = no_grad();
        using var first = ((ClipTextModel)_model.TextEncoder).Outputs(Expected["ids1_77"].squeeze(1));
        using var second = _model.TextEncoder2.Outputs(Expected["ids2_77"].squeeze(1));
        Expected.AssertClose("te1_last_hidden_state", first.LastHiddenState, Tolerance);
        Expected.AssertClose("te1_pooled", first.Pooled, Tolerance);
        Expected.AssertClose("te2_last_hidden_state", second.LastHiddenState, Tolerance);
        Expected.AssertClose("te2_text_embeds", second.Pooled, Tolerance);
    }

    [Fact]
    public void Backward_FirstEncoder_GivesTheReferencesGradients() =>
        Assert.Equal(9, AssertGradients(_model.TextEncoder, Expected["ids1_77"].narrow(0, 0, 1).squeeze(1)));

    [Fact]
    public void Encode_ClipSkip_IsNotLookedAt()
    {
        using var frozen = no_grad();
        var (plain, skipped) = (_encoder.Encode(["a cat"]), _encoder.Encode(["a cat"], clipSkip: 3));
        GoldenComparison.AssertClose("context", plain.Context, skipped.Context, 0);
    }

    [Fact]
    public void EncodeForSampling_OneChunkWithoutWeights_IsEncode()
    {
        using var frozen = no_grad();
        var (sampled, plain) = (_encoder.EncodeForSampling(["a photo of a cat", ""]), _encoder.Encode(["a photo of a cat", ""]));
        GoldenComparison.AssertClose("context", plain.Context, sampled.Context, 1e-6);
        GoldenComparison.AssertClose("pooled", plain.Pooled!, sampled.Pooled!, 0);
    }

    [Fact]
    public void EncodeForSampling_LongPrompt_KeepsEachChunkWhole()
    {
        using var frozen = no_grad();
        var conditions = _encoder.EncodeForSampling([string.Join(' ', Enumerable.Repeat("cat", 60)), "dog"]);
        Assert.Equal([2L, 154, 80], conditions.Context.shape);
        Assert.Equal([2L, 48], conditions.Pooled!.shape);
    }

    [Fact]
    public void Encode_AddedWords_DoNotMoveThePooledPlace()
    {
        using var frozen = no_grad();
        // A word with an id above the end token's: the place of the largest id would be the word's.
        var small = new ClipTextModel(((ClipTextModel)_model.TextEncoder).Options with { VocabularySize = 1001 });
        var large = new ClipTextModel(_model.TextEncoder2.Options with { VocabularySize = 1001 });
        using (small) using (large)
        {
            var added = new Dictionary<string, int> { ["<frog>"] = 1000 };
            var encoder = new SdxlPromptEncoder(
                _model.Tokenizer.WithAddedTokens(added), small, _model.Tokenizer2.WithAddedTokens(added), large);
            var ids = _model.Tokenizer2.WithAddedTokens(added).EncodePadded("a <frog> sits");
            Assert.Contains(1000L, ids[0]);
            var end = Array.IndexOf(ids[0], (long)_model.Tokenizer2.EndId);
            using var outputs = large.Outputs(tensor(ids[0], [1, 77]));
            var expected = nn.functional.linear(outputs.LastHiddenState[0, end], large.state_dict()["text_projection.weight"]);
            GoldenComparison.AssertClose("pooled", expected.unsqueeze(0), encoder.Encode(["a <frog> sits"]).Pooled!, 1e-5);
        }
    }

    [Fact]
    public void Backward_WithCheckpointing_TrainsBothEncoders()
    {
        var plain = Gradients(checkpointing: false);
        var checkpointed = Gradients(checkpointing: true);
        // What is neither in the context nor in the pooled output: the first encoder's last layer and final norm.
        Assert.All(plain, pair => Assert.Equal(
            pair.Key.Contains("1.text_model.encoder.layers.11.", StringComparison.Ordinal)
            || pair.Key.StartsWith("1.text_model.final", StringComparison.Ordinal), pair.Value is null));
        foreach (var (name, gradient) in plain)
        {
            if (gradient is null) continue;
            // A softmax does not feel what is added to all keys: the gradient of their bias is 0 but for rounding, which is measured by
            // that of the queries.
            var scale = plain[name.Replace("k_proj.bias", "q_proj.bias", StringComparison.Ordinal)]!.abs().max().item<float>();
            GoldenComparison.AssertClose(name, gradient, checkpointed[name]!, 1e-5 * scale);
        }
    }

    private Dictionary<string, Tensor?> Gradients(bool checkpointing)
    {
        foreach (var encoder in _model.TextEncoders)
        {
            encoder.SetRequiresGrad(true);
            encoder.GradientCheckpointing = checkpointing;
        }

        using (NewDisposeScope())
        {
            var conditions = _encoder.Encode(["a cat", "a dog"], maxTokenLength: 150);
            (conditions.Context.pow(2).mean() + conditions.Pooled!.pow(2).mean()).backward();
        }

        var gradients = _model.TextEncoders.SelectMany((encoder, i) =>
            encoder.named_parameters().Select(p => ($"{i + 1}.{p.name}", p.parameter)))
            .ToDictionary(p => p.Item1, p => p.parameter.grad?.clone());
        foreach (var parameter in _model.TextEncoders.SelectMany(encoder => encoder.parameters())) parameter.grad = null;
        return gradients;
    }

    [Fact]
    public void Constructor_SecondEncoderWithoutProjection_SaysSo()
    {
        using var plain = new ClipTextModel(_model.TextEncoder2.Options with { ProjectionDim = null });
        var error = Assert.Throws<ArgumentException>(() =>
            new SdxlPromptEncoder(_model.Tokenizer, (ClipTextModel)_model.TextEncoder, _model.Tokenizer2, plain));
        Assert.Contains("projection", error.Message, StringComparison.Ordinal);
    }

    private void AssertConditions(TextConditions conditions, string hidden1, string hidden2, string pooled, string suffix)
    {
        var width = _model.TextEncoder.Width;
        Expected.AssertClose(hidden1 + suffix, conditions.Context.narrow(-1, 0, width), Tolerance);
        Expected.AssertClose(hidden2 + suffix, conditions.Context.narrow(-1, width, _model.TextEncoder2.Width), Tolerance);
        Expected.AssertClose(pooled + suffix, conditions.Pooled!, Tolerance);
    }
}
