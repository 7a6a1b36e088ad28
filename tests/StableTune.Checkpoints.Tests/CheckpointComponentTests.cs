using System.Text.Json;
using StableTune.Models;
using StableTune.Tensors;
using StableTune.Testing;

namespace StableTune.Checkpoints.Tests;

/// <summary>
/// The parts of tiny-sd15-ckpt, read from torch checkpoints of both forms, against the reference. The legacy one also holds averaged
/// weights, which are
/// passed over, and old names of the text encoder. Tolerances are those of the fixtures' README.
/// </summary>
public sealed class CheckpointComponentTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public static TheoryData<string> Files => ["tiny-sd15-ckpt.ckpt", "tiny-sd15-ckpt-legacy-ema.ckpt"];

    public void Dispose() => _scope.Dispose();

    [Theory]
    [MemberData(nameof(Files))]
    public void Text_AgreesWithTheReference(string file)
    {
        using var golden = Golden.Open("components", "tiny-sd15-ckpt", "text.safetensors");
        using var checkpoint = Open(file);
        var options = checkpoint.TextEncoder!.Options;
        using var text = Build(() => new ClipTextModel(options), checkpoint.TextEncoder.Weights, name =>
            WeightNames.ClipText(name, projected: false));
        var tokenizer = new ClipTokenizer(ClipVocabulary.Embedded(FixtureModels.TinyMergeCount));
        var encoder = new ClipPromptEncoder(tokenizer, text);
        using (no_grad())
        {
            foreach (var (clipSkip, suffix) in new[] { (1, ""), (2, "_clipskip2"), (3, "_clipskip3") })
            {
                golden.AssertClose("hidden_77" + suffix, encoder.Encode(Texts("texts"), clipSkip).Context, 1e-5);
                golden.AssertClose("weighted_hidden_77" + suffix, encoder.EncodeWeighted(Texts("weighted_texts"), clipSkip).Context, 1e-5);
            }

            using var outputs = text.Outputs(golden["ids_77"].squeeze(1));
            golden.AssertClose("pooled", outputs.Pooled, 1e-5);
            golden.AssertClose("penultimate_raw", outputs.HiddenStates[^2], 1e-5);
            golden.AssertClose("layer0_input_embeddings", outputs.HiddenStates[0], 1e-5);
        }

        text.SetRequiresGrad(true);
        var loss = text.call(golden["ids_77"].narrow(0, 0, 1).squeeze(1)).pow(2).mean();
        loss.backward();
        golden.AssertClose("grad_loss", loss, 1e-5);
        AssertGradients(golden, "grad.", text);
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void UNet_AgreesWithTheReference(string file)
    {
        using var golden = Golden.Open("components", "tiny-sd15-ckpt", "unet.safetensors");
        using var checkpoint = Open(file);
        using var unet = Build(() => new UNet2DConditionModel(checkpoint.UNet.Options), checkpoint.UNet.Weights, WeightNames.UNet);
        using (no_grad())
            foreach (var sample in new[] { "b1_16x16", "b3_24x16", "b2_16x24_ctx227", "b1_13x10" })
                golden.AssertClose($"{sample}.output",
                    unet.call(golden[$"{sample}.sample"], golden[$"{sample}.timesteps"], golden[$"{sample}.context"]), 1e-5);

        unet.SetRequiresGrad(true);
        const string trained = "b3_24x16";
        var (latents, context) = (golden[$"{trained}.sample"].requires_grad_(), golden[$"{trained}.context"].requires_grad_());
        var loss = nn.functional.mse_loss(unet.call(latents, golden[$"{trained}.timesteps"], context), golden[$"{trained}.target"]);
        loss.backward();
        golden.AssertClose($"{trained}.loss", loss, 1e-5);
        golden.AssertClose($"{trained}.grad_sample", latents.grad!, 1e-4, relativeToMax: true);
        golden.AssertClose($"{trained}.grad_context", context.grad!, 1e-4, relativeToMax: true);
        AssertGradients(golden, $"{trained}.grad.", unet);
        var total = Math.Sqrt(unet.parameters().Sum(parameter => parameter.grad!.to(ScalarType.Float64).pow(2).sum().ToDouble()));
        golden.AssertClose($"{trained}.grad_norm_total", tensor((float)total), 1e-4, relativeToMax: true);
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void Vae_AgreesWithTheReference(string file)
    {
        using var golden = Golden.Open("components", "tiny-sd15-ckpt", "vae.safetensors");
        using var checkpoint = Open(file);
        using var vae = Build(() => new AutoencoderKL(checkpoint.Vae!.Options), checkpoint.Vae!.Weights, WeightNames.Vae);
        using var frozen = no_grad();
        foreach (var sample in new[] { "b1_64x64", "b2_48x64" })
        {
            var distribution = vae.Encode(golden[$"{sample}.image"]);
            golden.AssertClose($"{sample}.mean", distribution.Mean, 3e-5);
            golden.AssertClose($"{sample}.logvar", distribution.LogVariance, 3e-5);
            golden.AssertClose($"{sample}.latents_scaled", distribution.Sample(golden[$"{sample}.noise"]) * vae.Options.ScalingFactor,
                3e-5);
            golden.AssertClose($"{sample}.decoded", vae.Decode(golden[$"{sample}.z_scaled"] / vae.Options.ScalingFactor), 3e-5);
        }
    }

    // A file does not tell the heads of a text encoder of uncommon width.
    private static SingleFileCheckpoint Open(string file) => SingleFileCheckpoint.Open(Fixtures.Path("models", file), new SingleFileOptions
    {
        TextEncoder = new ClipTextOptions { VocabularySize = 1000, HiddenSize = 32, IntermediateSize = 128, Layers = 3, Heads = 4 },
    });

    private static T Build<T>(Func<T> create, Formats.ITensorFile weights, Func<string, string?> rename) where T : nn.Module
    {
        using var skip = LayerInitialization.Skip();
        var module = create();
        ModuleWeights.LoadInto(module, new WeightFile(weights), rename, ScalarType.Float32).ThrowIfIncomplete();
        return module;
    }

    private static void AssertGradients(Golden golden, string prefix, nn.Module module)
    {
        var parameters = module.named_parameters().ToDictionary(p => p.name, p => p.parameter);
        var names = golden.Names.Where(name => name.StartsWith(prefix, StringComparison.Ordinal)).ToArray();
        Assert.NotEmpty(names);
        foreach (var name in names) golden.AssertClose(name, parameters[name[prefix.Length..]].grad!, 1e-4, relativeToMax: true);
    }

    private static string[] Texts(string name)
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(Fixtures.Path("components", "tiny-sd15-ckpt", "texts.json")));
        return [.. document.RootElement.GetProperty(name).EnumerateArray().Select(text => text.GetString()!)];
    }
}
