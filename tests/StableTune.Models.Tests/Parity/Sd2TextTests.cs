using System.Text.Json;
using StableTune.Testing;

namespace StableTune.Models.Tests;

/// <summary>SD 2's text encoder and its prompts against transformers and sd-scripts. Tolerances are those of the fixtures' README.</summary>
public sealed class Sd2TextTests : IDisposable
{
    private const double Tolerance = 1e-5;

    private readonly TemporaryFolder _folder = new();
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly Golden _golden = Golden.Open("components", "tiny-sd21-v", "text.safetensors");
    private readonly StableDiffusionModel _model;
    private readonly IPromptEncoder _encoder;

    public Sd2TextTests()
    {
        _model = ModelLoader.Load(FixtureModels.TinySd21V(_folder), new ModelLoadOptions { Parts = ModelParts.TextEncoder });
        _encoder = PromptEncoder.For(_model);
    }

    public void Dispose()
    {
        _model.Dispose();
        _golden.Dispose();
        _scope.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData(75, "77")]
    [InlineData(225, "225")]
    public void EncodePadded_Texts_GiveTheReferencesIds(int maxTokenLength, string suffix)
    {
        var ids = Texts("texts").SelectMany(text => _model.Tokenizer.EncodePadded(text, maxTokenLength)).SelectMany(row => row).ToArray();
        _golden.AssertEqual("ids_" + suffix, tensor(ids, _golden["ids_" + suffix].shape));
        var weighted = Texts("weighted_texts").Select(text => _model.Tokenizer.EncodeWeighted(text, maxTokenLength)).ToArray();
        var (idsName, weightsName) = ("weighted_ids_" + suffix, "weights_" + suffix);
        _golden.AssertEqual(idsName, tensor(weighted.SelectMany(text => text.Ids).SelectMany(row => row).ToArray(), _golden[idsName].shape));
        _golden.AssertClose(weightsName, tensor(weighted.SelectMany(text => text.Weights).SelectMany(row => row).ToArray(), _golden[weightsName].shape), 1e-6);
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
        var conditions = _encoder.Encode(Texts("texts"), clipSkip, maxTokenLength);
        _golden.AssertClose(expected, conditions.Context, Tolerance);
        Assert.Null(conditions.Pooled);
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
        using var golden = Golden.Open("components", "tiny-sd21-v", "sampling_prompts.safetensors");
        using var document = JsonDocument.Parse(File.ReadAllBytes(Fixtures.Path("components", "tiny-sd21-v", "sampling_prompts.json")));
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
    public void Outputs_AgreeWithTheReference()
    {
        using var frozen = no_grad();
        var ids = _golden["ids_77"].squeeze(1);
        var encoder = (ClipTextModel)_model.TextEncoder;
        using var outputs = encoder.Outputs(ids);
        _golden.AssertClose("last_hidden_state", outputs.LastHiddenState, Tolerance);
        _golden.AssertClose("pooled", outputs.Pooled, Tolerance);
        _golden.AssertClose("penultimate_raw", outputs.HiddenStates[^2], Tolerance);
        _golden.AssertClose("penultimate_normed", encoder.HiddenState(ids, clipSkip: 2), Tolerance);
        _golden.AssertClose("layer0_input_embeddings", outputs.HiddenStates[0], Tolerance);
        _golden.AssertClose("layer1_input", outputs.HiddenStates[1], Tolerance);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Backward_GivesTheReferencesGradients(bool checkpointing)
    {
        _model.TextEncoder.requires_grad_(true);
        _model.TextEncoder.GradientCheckpointing = checkpointing;
        var loss = _model.TextEncoder.call(_golden["ids_77"].narrow(0, 0, 1).squeeze(1)).pow(2).mean();
        loss.backward();
        _golden.AssertClose("grad_loss", loss, Tolerance);
        var parameters = _model.TextEncoder.named_parameters().ToDictionary(p => p.name, p => p.parameter);
        var names = _golden.Names.Where(name => name.StartsWith("grad.", StringComparison.Ordinal)).ToArray();
        Assert.NotEmpty(names);
        foreach (var name in names) _golden.AssertClose(name, parameters[name["grad.".Length..]].grad!, 1e-4, relativeToMax: true);
    }

    private static string[] Texts(string name)
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(Fixtures.Path("components", "tiny-sd21-v", "texts.json")));
        return [.. document.RootElement.GetProperty(name).EnumerateArray().Select(text => text.GetString()!)];
    }
}
