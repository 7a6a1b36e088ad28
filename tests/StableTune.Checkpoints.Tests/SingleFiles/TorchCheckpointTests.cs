using StableTune.Formats;
using StableTune.Models;
using StableTune.Testing;

namespace StableTune.Checkpoints.Tests;

/// <summary>The fixtures' .ckpt files: the zip form, and the old form with averaged weights and old names of the text encoder.</summary>
public sealed class TorchCheckpointTests
{
    private const string Zip = "tiny-sd15-ckpt.ckpt", Legacy = "tiny-sd15-ckpt-legacy-ema.ckpt";

    // No folder belongs to this model, and 32 channels make no heads of 64.
    private static readonly ClipTextOptions Text = ClipTextOptions.Tiny with { HiddenSize = 32, IntermediateSize = 128, Layers = 3 };

    [Theory]
    [InlineData(Zip)]
    [InlineData(Legacy)]
    public void Open_Ckpt_FindsTheArchitecture(string file)
    {
        using var checkpoint = Open(file);

        Assert.Equal((ModelFormat.Ckpt, ModelVersion.Sd1, ModelPrediction.Epsilon),
            (checkpoint.Details.Format, checkpoint.Version, checkpoint.Details.Prediction));
        Assert.Equal([16, 16, 16, 32], checkpoint.UNet.Options.BlockOutChannels);
        Assert.Equal([4, 4, 4, 4], checkpoint.UNet.Options.AttentionHeads);
        Assert.Equal((32, 8), (checkpoint.UNet.Options.CrossAttentionDim, checkpoint.UNet.Options.NormNumGroups));
        Assert.Equal([16, 16, 16, 16], checkpoint.Vae!.Options.BlockOutChannels);
        Fits(new UNet2DConditionModel(checkpoint.UNet.Options), checkpoint.UNet.Weights);
        Fits(new AutoencoderKL(checkpoint.Vae.Options), checkpoint.Vae.Weights);
        Fits(new ClipTextModel(Text), checkpoint.TextEncoder!.Weights);
    }

    [Fact]
    public void Open_BothForms_HoldTheSameWeights()
    {
        using var zip = Open(Zip);
        using var legacy = Open(Legacy);
        AssertSame(zip.UNet.Weights, legacy.UNet.Weights);
        AssertSame(zip.Vae!.Weights, legacy.Vae!.Weights);
        AssertSame(zip.TextEncoder!.Weights, legacy.TextEncoder!.Weights);
    }

    [Fact]
    public void Open_AveragesIgnored_SaysSo()
    {
        using var checkpoint = Open(Legacy);
        Assert.Contains(checkpoint.Details.Notes, note =>
            note.Contains("averaged weights (model_ema) are left out", StringComparison.Ordinal));
        Assert.DoesNotContain(checkpoint.Carried, info => info.Name.StartsWith("model_ema", StringComparison.Ordinal));
    }

    [Fact]
    public void Open_AveragesPreferred_TakesThemWhereTheyAre()
    {
        using var plain = Open(Legacy);
        using var averaged = Open(Legacy, EmaWeights.Prefer);
        var averages = plain.File.Tensors.Where(info => info.Name.StartsWith("model_ema.diffusion_model", StringComparison.Ordinal))
            .ToDictionary(info => info.Name, StringComparer.Ordinal);
        Assert.NotEmpty(averages);

        var changed = new List<string>();
        foreach (var info in averaged.UNet.Weights.Tensors)
        {
            var bytes = Bytes(averaged.UNet.Weights, info);
            var own = averaged.UNet.Layout.ToFile(info.Name)!.Value.Name;
            var average = "model_ema." + own["model.".Length..].Replace(".", "", StringComparison.Ordinal);
            if (averages.ContainsKey(average)) changed.Add(info.Name);
            Assert.Equal(averages.TryGetValue(average, out var stored) ? Bytes(plain.File, stored)
                : Bytes(plain.UNet.Weights, plain.UNet.Weights[info.Name]), bytes);
        }

        Assert.Equal(averages.Count, changed.Count);
        Assert.Contains(changed, name =>
            !Bytes(plain.UNet.Weights, plain.UNet.Weights[name]).AsSpan()
            .SequenceEqual(Bytes(averaged.UNet.Weights, averaged.UNet.Weights[name])));
        Assert.Contains(
            $"Averaged weights (model_ema) are taken for {averages.Count} of the UNet's {averaged.UNet.Weights.Tensors.Count} tensors.",
            averaged.Details.Notes);
    }

    [Fact]
    public void Open_AveragesPreferredWithoutAny_SaysSo()
    {
        using var checkpoint = Open(Zip, EmaWeights.Prefer);
        Assert.Contains(checkpoint.Details.Notes, note => note.StartsWith("The file has no averaged weights", StringComparison.Ordinal));
    }

    private static SingleFileCheckpoint Open(string file, EmaWeights ema = EmaWeights.Ignore) =>
        SingleFileCheckpoint.Open(Fixtures.Path("models", file), new SingleFileOptions { TextEncoder = Text, Ema = ema });

    private static void Fits(nn.Module module, ITensorFile weights)
    {
        using (module) Tensors.ModuleWeights.Compare(module, new Tensors.WeightFile(weights)).ThrowIfIncomplete();
    }

    private static void AssertSame(ITensorFile expected, ITensorFile actual)
    {
        Assert.Equal(expected.Tensors.Select(info => $"{info.Name} {info}").Order(StringComparer.Ordinal),
            actual.Tensors.Select(info => $"{info.Name} {info}").Order(StringComparer.Ordinal));
        foreach (var info in expected.Tensors)
            Assert.True(Bytes(expected, info).AsSpan().SequenceEqual(Bytes(actual, actual[info.Name])), info.Name);
    }

    private static byte[] Bytes(ITensorFile file, TensorInfo info)
    {
        var bytes = new byte[info.ByteCount];
        file.Read(info, bytes);
        return bytes;
    }
}
