using System.Text.Json;
using StableTune.Testing;

namespace StableTune.Models.Tests;

/// <summary>Token merging against tomesd.</summary>
public sealed class TokenMergingTests : IDisposable
{
    private static readonly JsonElement s_recorded =
        JsonDocument.Parse(File.ReadAllText(Fixtures.Path("networks", "tomesd.json"))).RootElement;

    private readonly Golden _golden = Golden.Open("networks", "tomesd.safetensors");

    public void Dispose() => _golden.Dispose();

    public static TheoryData<string> Cases() =>
        [.. s_recorded.GetProperty("cases").EnumerateArray().Select(entry => entry.GetProperty("case").GetString()!)];

    public static TheoryData<int> Layers() => [.. Enumerable.Range(0, s_recorded.GetProperty("which_layers_merge").GetArrayLength())];

    [Theory]
    [MemberData(nameof(Cases))]
    public void MergeAndUnmerge_AreTomesds(string name)
    {
        var entry = s_recorded.GetProperty("cases").EnumerateArray().First(e => e.GetProperty("case").GetString() == name);
        int Number(string key) => entry.GetProperty(key).GetInt32();
        using var scope = NewDisposeScope();
        var tokens = _golden[$"{name}/x"];
        Assert.Equal([Number("batch"), Number("w") * Number("h"), Number("channels")], tokens.shape);
        var options = new TokenMergingOptions
        {
            Ratio = entry.GetProperty("ratio").GetDouble(), StrideX = Number("sx"), StrideY = Number("sy"),
            UseRandom = !entry.GetProperty("no_rand").GetBoolean(),
        };
        var places = options.UseRandom ? _golden[$"{name}/rand_idx"].data<long>().ToArray() : null;
        Assert.Equal(Number("r"), (int)(tokens.shape[1] * options.Ratio));
        if (Number("r") == 0)
        {
            using var random = new Generator(1);
            Assert.Null(options.Create(random).Draw(Number("h"), Number("w"), Number("batch"), tokens.shape[1]));
            _golden.AssertEqual($"{name}/merged", tokens);
            return;
        }

        var merging = new TokenCells(options, Number("h"), Number("w"), Number("r"), places).Match(tokens);
        Assert.Equal(Number("tokens_after_merge"), merging.Count);
        foreach (var prefix in new[] { "", "other_" })
        {
            var merged = merging.Merge(prefix.Length == 0 ? tokens : _golden[$"{name}/other"]);
            _golden.AssertWithin($"{name}/{prefix}unmerged", merging.Unmerge(merged), 2e-5, 1e-4);
            AssertSameTokens(_golden[$"{name}/{prefix}merged"], merged, 2e-5);
        }
    }

    /// <summary>The order of the tokens that others are merged into is that of a sort that is not stable, so it is not compared.</summary>
    private static void AssertSameTokens(Tensor expected, Tensor actual, double tolerance)
    {
        Assert.Equal(expected.shape, actual.shape);
        var distances = (expected.unsqueeze(2) - actual.unsqueeze(1)).abs().amax([-1]);              // [B, M, M]
        var (nearest, places) = distances.min(-1);
        Assert.InRange(nearest.max().ToDouble(), 0, tolerance);
        foreach (var sample in places.unbind(0)) Assert.Equal(expected.shape[1], sample.data<long>().ToArray().Distinct().Count());
    }

    [Theory]
    [MemberData(nameof(Layers))]
    public void Draw_MergesWhereTomesdDoes(int index)
    {
        var entry = s_recorded.GetProperty("which_layers_merge")[index];
        var size = entry.GetProperty("latent_size_hw");
        var (tokens, batch) = (entry.GetProperty("tokens").GetInt64(), entry.GetProperty("batch").GetInt64());
        var after = entry.GetProperty("tokens_after");
        var options = new TokenMergingOptions
        {
            Ratio = entry.GetProperty("ratio").GetDouble(), MaxDownsample = entry.GetProperty("max_downsample").GetInt32(),
            SelfAttention = entry.GetProperty("merge_attn").GetBoolean(),
            CrossAttention = entry.GetProperty("merge_crossattn").GetBoolean(),
            FeedForward = entry.GetProperty("merge_mlp").GetBoolean(),
        };
        using var random = new Generator(1);
        using var scope = NewDisposeScope();
        var cells = options.Create(random).Draw(size[0].GetInt64(), size[1].GetInt64(), batch, tokens);
        var count = cells?.Match(randn([batch, tokens, 4], generator: random)).Count ?? tokens;
        Assert.Equal(after.GetProperty("attn").GetInt64(), options.SelfAttention ? count : tokens);
        Assert.Equal(after.GetProperty("crossattn").GetInt64(), options.CrossAttention ? count : tokens);
        Assert.Equal(after.GetProperty("mlp").GetInt64(), options.FeedForward ? count : tokens);
    }

    [Fact]
    public void Create_WithOptionsThatCannotWork_NamesThem()
    {
        using var random = new Generator(1);
        var options = new TokenMergingOptions { Ratio = 1, MaxDownsample = 3, StrideX = 1, StrideY = 1, SelfAttention = false };
        var message = Assert.Throws<InvalidOptionsException>(() => options.Create(random)).Message;
        foreach (var name in new[] { "TokenMergingOptions.Ratio is 1", "MaxDownsample is 3", "StrideX is 1", "SelfAttention" })
            Assert.Contains(name, message, StringComparison.Ordinal);
    }
}
