using StableTune.Checkpoints;
using StableTune.Testing;

namespace StableTune.Models.Tests;

/// <summary>Captions that are padded to the longest of their batch only.</summary>
public sealed class UnpaddedTests : IDisposable
{
    private static readonly string[] s_captions = ["a cat", "a photo of a very small frog", ""];

    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly TemporaryFolder _folder = new();

    public void Dispose()
    {
        _scope.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData(null)]
    [InlineData(2)]
    public void EncodeUnpadded_IsWhatTheEncoderSaysOfTheShortRows(int? clipSkip)
    {
        using var frozen = no_grad();
        using var model = Load(FixtureModels.TinySd15(_folder));
        var (tokenizer, encoder) = (model.Tokenizer, (ClipTextModel)model.TextEncoder);
        // As transformers' tokenizer makes them with padding=True: start, text, end, and the pad token up to the longest.
        var rows = s_captions.Select(tokenizer.Encode).ToArray();
        var length = rows.Max(row => row.Length);
        var ids = rows.SelectMany(row => row.Concat(Enumerable.Repeat(tokenizer.PadId, length - row.Length))).Select(id => (long)id);
        var expected = encoder.HiddenState(tensor(ids.ToArray(), [3, length]), clipSkip ?? 1);
        var actual = PromptEncoder.For(model).EncodeUnpadded(s_captions, clipSkip).Context;
        GoldenComparison.AssertClose("context", expected, actual, 1e-5);
        Assert.True(length < 20);
    }

    [Fact]
    public void EncodeUnpadded_Weighted_WeighsTheShortRows_AndBracketsAreNoText()
    {
        using var frozen = no_grad();
        using var model = Load(FixtureModels.TinySd21V(_folder));
        var encoder = PromptEncoder.For(model);
        var plain = encoder.EncodeUnpadded(["a red cat"]).Context;
        var weighted = encoder.EncodeUnpadded(["a (red:1.5) cat"], null, true).Context;
        Assert.Equal(plain.shape, weighted.shape);
        // Each part of one weight is tokenized on its own, which changes no token here.
        var ratio = (weighted / plain)[0].mean([1L]);
        var factors = ratio.Elements<float>().ToArray();
        Assert.Contains(factors, factor => Math.Abs(factor - 1.5) < 1e-4);
        Assert.All(new[] { factors[0], factors[^1] }, factor => Assert.Equal(1, factor, 1e-4f));
    }

    [Fact]
    public void EncodeUnpadded_Sdxl_KeepsThePooledOutput()
    {
        using var frozen = no_grad();
        using var model = Load(FixtureModels.TinySdxl(_folder));
        var encoder = PromptEncoder.For(model);
        var (padded, unpadded) = (encoder.Encode(s_captions), encoder.EncodeUnpadded(s_captions));
        var places = model.Tokenizer.Encode(s_captions[1]).Length;
        Assert.Equal([3L, places, padded.Context.shape[2]], unpadded.Context.shape);
        GoldenComparison.AssertClose("context", padded.Context.narrow(1, 0, places), unpadded.Context, 0);
        GoldenComparison.AssertClose("pooled", padded.Pooled!, unpadded.Pooled!, 0);
    }

    [Fact]
    public void EncodeUnpadded_LongCaptions_AreCutAt75()
    {
        using var frozen = no_grad();
        using var model = Load(FixtureModels.TinySd15(_folder));
        Assert.Equal(77, PromptEncoder.For(model).EncodeUnpadded([string.Join(' ', Enumerable.Repeat("frog", 200))]).Context.shape[1]);
    }

    private static StableDiffusionModel Load(string path) =>
        ModelLoader.Load(path, new ModelLoadOptions { Parts = ModelParts.TextEncoder });
}
