using StableTune.Checkpoints;
using StableTune.Testing;

namespace StableTune.Models.Tests;

/// <summary>SD 2's text encoder and its prompts against transformers and sd-scripts.</summary>
public sealed class Sd2TextTests : ClipPromptGolden
{
    private readonly TemporaryFolder _folder = new();
    private readonly StableDiffusionModel _model;

    public Sd2TextTests()
        : base("tiny-sd21-v")
    {
        _model = ModelLoader.Load(FixtureModels.TinySd21V(_folder), new ModelLoadOptions { Parts = ModelParts.TextEncoder });
        Encoder = PromptEncoder.For(_model);
    }

    private protected override IPromptEncoder Encoder { get; }

    public override void Dispose()
    {
        _model.Dispose();
        base.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData(75, "77")]
    [InlineData(225, "225")]
    public void EncodePadded_Texts_GiveTheReferencesIds(int maxTokenLength, string suffix)
    {
        AssertIds("ids_" + suffix, _model.Tokenizer, maxTokenLength);
        AssertWeighted("weighted_ids_" + suffix, "weights_" + suffix, _model.Tokenizer, maxTokenLength);
    }

    [Fact]
    public void Outputs_AgreeWithTheReference()
    {
        using var frozen = no_grad();
        var ids = Expected["ids_77"].squeeze(1);
        var encoder = (ClipTextModel)_model.TextEncoder;
        using var outputs = encoder.Outputs(ids);
        Expected.AssertClose("last_hidden_state", outputs.LastHiddenState, Tolerance);
        Expected.AssertClose("pooled", outputs.Pooled, Tolerance);
        Expected.AssertClose("penultimate_raw", outputs.HiddenStates[^2], Tolerance);
        Expected.AssertClose("penultimate_normed", encoder.HiddenState(ids, clipSkip: 2), Tolerance);
        Expected.AssertClose("layer0_input_embeddings", outputs.HiddenStates[0], Tolerance);
        Expected.AssertClose("layer1_input", outputs.HiddenStates[1], Tolerance);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Backward_GivesTheReferencesGradients(bool checkpointing)
    {
        _model.TextEncoder.GradientCheckpointing = checkpointing;
        Assert.NotEqual(0, AssertGradients(_model.TextEncoder, Expected["ids_77"].narrow(0, 0, 1).squeeze(1)));
    }
}
