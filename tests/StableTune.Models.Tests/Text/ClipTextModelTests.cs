using System.IO.Compression;
using System.Text.Json;
using StableTune.Checkpoints;
using StableTune.Tensors;
using StableTune.Testing;

namespace StableTune.Models.Tests;

public sealed class ClipTextModelTests : IDisposable
{
    // As the fixtures' README states for text encoders.
    private const double Tolerance = 1e-5;

    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly Golden _golden = Golden.Open("components", "tiny-sd15", "text.safetensors");
    private readonly ClipTextModel _model = LoadTiny();

    public void Dispose()
    {
        _model.Dispose();
        _golden.Dispose();
        _scope.Dispose();
    }

    private Tensor Ids => _golden["ids_77"].squeeze(1);

    [Fact]
    public void Outputs_TinySd15_AgreeWithTheReference()
    {
        using var frozen = no_grad();
        using var outputs = _model.Outputs(Ids);

        _golden.AssertClose("last_hidden_state", outputs.LastHiddenState, Tolerance);
        _golden.AssertClose("pooled", outputs.Pooled, Tolerance);
        Assert.Equal(6, outputs.HiddenStates.Count);
        _golden.AssertClose("layer0_input_embeddings", outputs.HiddenStates[0], Tolerance);
        _golden.AssertClose("layer1_input", outputs.HiddenStates[1], Tolerance);
        _golden.AssertClose("penultimate_raw", outputs.HiddenStates[^2], Tolerance);
    }

    [Fact]
    public void Forward_TinySd15_AgreesWithTheReference()
    {
        using var frozen = no_grad();
        _golden.AssertClose("last_hidden_state", _model.call(Ids), Tolerance);
    }

    [Fact]
    public void HiddenState_ClipSkip2_AgreesWithTheReference()
    {
        using var frozen = no_grad();
        _golden.AssertClose("penultimate_normed", _model.HiddenState(Ids, clipSkip: 2), Tolerance);
        _golden.AssertClose("penultimate_raw", _model.HiddenState(Ids, clipSkip: 2, finalNorm: false), Tolerance);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Backward_TinySd15_AgreesWithTheReference(bool checkpointing)
    {
        _model.SetRequiresGrad(true);
        _model.GradientCheckpointing = checkpointing;
        var loss = _model.call(Ids.narrow(0, 0, 1)).pow(2).mean();
        loss.backward();

        _golden.AssertClose("grad_loss", loss, Tolerance);
        var gradients = _golden.Names.Where(name => name.StartsWith("grad.", StringComparison.Ordinal)).ToArray();
        Assert.Equal(9, gradients.Length);
        var parameters = _model.named_parameters().ToDictionary(entry => entry.name, entry => entry.parameter);
        foreach (var name in gradients)
            _golden.AssertClose(name, parameters[name["grad.".Length..]].grad!, Tolerance, relativeToMax: true);
    }

    [Fact]
    public void Backward_FrozenEncoderWithCheckpointing_ReachesWhatHooksAdd()
    {
        _model.GradientCheckpointing = true;
        using var added = zeros(48, requires_grad: true).DetachFromDisposeScope();
        var layer = (Linear)_model.named_modules().Single(entry => entry.name == "text_model.encoder.layers.0.mlp.fc2").module;
        layer.register_forward_hook((_, _, output) => output + added);

        _model.call(Ids).pow(2).mean().backward();
        Assert.True(added.grad!.abs().sum().ToSingle() > 0);
    }

    [Fact]
    public void Forward_BFloat16_IsClose()
    {
        using var frozen = no_grad();
        _model.to(ScalarType.BFloat16);
        var state = _model.call(Ids);
        Assert.Equal(ScalarType.BFloat16, state.dtype);
        // Eight bits of mantissa through five layers.
        _golden.AssertClose("last_hidden_state", state, 0.1);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(6)]
    public void HiddenState_ClipSkipOutOfRange_Throws(int clipSkip) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => _model.HiddenState(Ids, clipSkip));

    [Fact]
    public void Forward_TooManyPlaces_NamesTheShape()
    {
        var error = Assert.Throws<ArgumentException>(() => _model.call(zeros(1, 78, dtype: ScalarType.Int64)));
        Assert.Contains("[1, 78]", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Pooled_EndTokenKnown_TakesItsFirstPlace()
    {
        using var frozen = no_grad();
        using var model = new ClipTextModel(ClipTextOptions.Tiny with { EndTokenId = 7 });
        using var outputs = model.Outputs(tensor([1L, 7, 999, 7], [1, 4]));
        GoldenComparison.AssertClose("pooled", outputs.LastHiddenState.select(1, 1), outputs.Pooled, 0);
    }

    [Fact]
    public void Parameters_TinySd15_CountIsThatOfTheReference()
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(Fixtures.Path("models", "parameter_counts.json")));
        Assert.Equal(document.RootElement.GetProperty("tiny-sd15").GetProperty("text_encoder").GetInt64(),
            _model.parameters().Sum(parameter => parameter.numel()));
    }

    [Theory]
    [InlineData("sd15", "text_encoder")]
    [InlineData("sd21", "text_encoder")]
    [InlineData("sdxl", "text_encoder")]
    [InlineData("sdxl", "text_encoder_2")]
    public void Parameters_RealModels_HaveTheReferencesNamesAndShapes(string version, string part)
    {
        var options = (version, part) switch
        {
            ("sd21", _) => ClipTextOptions.Sd21,
            (_, "text_encoder_2") => ClipTextOptions.SdxlSecond,
            _ => ClipTextOptions.Sd15,
        };
        using var skip = LayerInitialization.Skip();
        using var model = new ClipTextModel(options);
        var actual = model.named_parameters().ToDictionary(entry => entry.name, entry => string.Join(',', entry.parameter.shape));

        using var stream = new GZipStream(File.OpenRead(Fixtures.Path("real-model-keys.json.gz")), CompressionMode.Decompress);
        using var document = JsonDocument.Parse(stream);
        // Rows of: diffusers name, shape, LDM name, LDM shape.
        var expected = document.RootElement.GetProperty("models").GetProperty(version).GetProperty(part).EnumerateArray()
            .Where(row => !row[0].GetString()!.EndsWith("position_ids", StringComparison.Ordinal))
            .ToDictionary(row => row[0].GetString()!, row => string.Join(',', row[1].EnumerateArray().Select(size => size.GetInt64())));
        Assert.Equal(expected.OrderBy(row => row.Key, StringComparer.Ordinal), actual.OrderBy(row => row.Key, StringComparer.Ordinal));
    }

    [Fact]
    public void Options_Impossible_NameEachProblem()
    {
        var options = new ClipTextOptions { Heads = 5, Activation = "relu", Layers = 0, VocabularySize = 0, ProjectionDim = 0,
            MaxPositions = 2, LayerNormEps = 0, IntermediateSize = 0 };
        var error = Assert.Throws<InvalidOptionsException>(() => new ClipTextModel(options));
        Assert.Equal(8, error.Problems.Count);
        Assert.Contains("quick_gelu", error.Message, StringComparison.Ordinal);
    }

    internal static ClipTextModel LoadTiny()
    {
        using var skip = LayerInitialization.Skip();
        var model = new ClipTextModel(ClipTextOptions.Tiny);
        using var file = WeightFile.Open(Fixtures.Path("models", "tiny-sd15", "text_encoder", "model.safetensors"));
        ModuleWeights.LoadInto(model, file, name => WeightNames.ClipText(name, projected: false)).ThrowIfIncomplete();
        model.SetRequiresGrad(false);
        return model;
    }
}
