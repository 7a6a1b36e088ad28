using System.Text.Json;
using StableTune.Checkpoints;
using StableTune.Models;
using StableTune.Testing;

namespace StableTune.Tests;

/// <summary>Every form of every model, saved as every other in every precision: what is loaded again is the same model. The tolerances
/// stand in the fixtures' README.</summary>
public sealed class ModelMatrixTests : IDisposable
{
    private readonly ModelForms _forms = new();
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose()
    {
        _scope.Dispose();
        _forms.Dispose();
    }

    public static TheoryData<string, ModelFormat> Pairs()
    {
        var pairs = new TheoryData<string, ModelFormat>();
        foreach (var form in ModelForms.Names)
            foreach (var format in Enum.GetValues<ModelFormat>()) pairs.Add(form, format);
        return pairs;
    }

    [Theory]
    [MemberData(nameof(Pairs))]
    public void SaveAs_AnyFormAsAnyFormat_LoadsAgainAsTheSameModel(string form, ModelFormat format)
    {
        using var model = ModelLoader.Load(_forms.Path(form), _forms.Reading(form));
        AssertGivesTheReferencesNumbers(ModelForms.Components(form), model);
        foreach (var precision in Precisions(form, format))
        {
            var saved = model.SaveAs(_forms.Folder.File("saved", "model"),
                new ModelSaveOptions { Format = format, Precision = precision, Overwrite = true });
            Assert.Empty(ModelLoader.Check(saved.Path, _forms.Reading(form)));
            using var again = ModelLoader.Load(saved.Path, _forms.Reading(form));
            AssertSame(model, again, precision);
            Assert.Equal((format, model.Details!.Version, model.Details.Prediction),
                (again.Details!.Format, again.Details.Version, again.Details.Prediction));
            Assert.All(again.Details.StoredTypes.Values, types =>
                Assert.Equal((precision ?? ScalarType.Float32).ToString(), Assert.Single(types) switch
            {
                Formats.TensorDType.F16 => nameof(ScalarType.Float16),
                Formats.TensorDType.BF16 => nameof(ScalarType.BFloat16),
                var other => other == Formats.TensorDType.F32 ? nameof(ScalarType.Float32) : other.ToString(),
            }));
            if (precision is null) AssertGivesTheReferencesNumbers(ModelForms.Components(form), again);
        }
    }

    /// <summary>As it is, and in one of the two half precisions, in turn; in both in the exhaustive run.</summary>
    private static ScalarType?[] Precisions(string form, ModelFormat format)
    {
        if (Exhaustive.IsOn) return [null, ScalarType.Float16, ScalarType.BFloat16];
        return [null, (Array.IndexOf(ModelForms.Names, form) + (int)format) % 2 == 0 ? ScalarType.Float16 : ScalarType.BFloat16];
    }

    internal static void AssertSame(StableDiffusionModel expected, StableDiffusionModel actual, ScalarType? stored)
    {
        Assert.Equal((expected.Parts, expected.BaseModelVersion), (actual.Parts, actual.BaseModelVersion));
        Assert.Equal(
            (expected.Scheduler.Prediction, expected.Scheduler.BetaStart, expected.Scheduler.BetaEnd,
                expected.Scheduler.TrainTimesteps),
            (actual.Scheduler.Prediction, actual.Scheduler.BetaStart, actual.Scheduler.BetaEnd, actual.Scheduler.TrainTimesteps));
        Assert.Equal(expected.Vae.Options.ScalingFactor, actual.Vae.Options.ScalingFactor);
        Assert.Equal(expected.Tokenizer.EncodePadded("a (cat)!"), actual.Tokenizer.EncodePadded("a (cat)!"));
        if (expected.HasTextEncoder2) Assert.Equal(expected.Tokenizer2.EncodePadded("a cat!"), actual.Tokenizer2.EncodePadded("a cat!"));
        foreach (var (left, right) in Modules(expected).Zip(Modules(actual), (a, b) => (a.state_dict(), b.state_dict())))
        {
            Assert.Equal(left.Keys.Order(StringComparer.Ordinal), right.Keys.Order(StringComparer.Ordinal));
            using var scope = NewDisposeScope();
            foreach (var (name, tensor) in left)
                GoldenComparison.AssertClose(name, stored is { } type
                    && tensor.is_floating_point() ? tensor.to(type).to(tensor.dtype) : tensor, right[name], 0);
        }
    }

    private static IEnumerable<nn.Module> Modules(StableDiffusionModel model) => [model.UNet, model.Vae, .. model.TextEncoders];

    private static void AssertGivesTheReferencesNumbers(string name, StableDiffusionModel model)
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        using (var golden = Golden.Open("components", name, "unet.safetensors"))
        {
            var added = golden.Contains("b3_24x16.time_ids")
                ? new AddedConditions(golden["b3_24x16.text_embeds"], golden["b3_24x16.time_ids"]) : null;
            golden.AssertClose("b3_24x16.output",
                model.UNet.call(golden["b3_24x16.sample"], golden["b3_24x16.timesteps"], golden["b3_24x16.context"], added), 1e-5);
        }

        using (var golden = Golden.Open("components", name, "vae.safetensors"))
        {
            golden.AssertClose("b1_64x64.mean", model.Vae.Encode(golden["b1_64x64.image"]).Mean, 3e-5);
            golden.AssertClose("b1_64x64.decoded", model.Vae.Decode(golden["b1_64x64.z_scaled"] / model.Vae.Options.ScalingFactor), 3e-5);
        }

        using var texts = JsonDocument.Parse(File.ReadAllBytes(Fixtures.Path("components", name, "texts.json")));
        string[] prompts = [.. texts.RootElement.GetProperty("texts").EnumerateArray().Select(text => text.GetString()!)];
        using var encoded = Golden.Open("components", name, "text.safetensors");
        var conditions = PromptEncoder.For(model).Encode(prompts);
        if (!model.HasTextEncoder2)
        {
            encoded.AssertClose("hidden_77", conditions.Context, 1e-5);
            return;
        }

        GoldenComparison.AssertClose("hidden_77", cat([encoded["hidden1_77"], encoded["hidden2_77"]], -1), conditions.Context, 1e-5);
        encoded.AssertClose("pooled_77", conditions.Pooled!, 1e-5);
    }
}
