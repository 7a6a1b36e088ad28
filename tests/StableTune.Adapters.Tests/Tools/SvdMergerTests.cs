using StableTune.Tensors;

namespace StableTune.Adapters.Tests.Tools;

public sealed class SvdMergerTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly DisposeScope _scope = NewDisposeScope();

    private string Output => _folder.File("merged.safetensors");

    public static TheoryData<string> Cases => ToolFixture.Cases("svd_merge_lora");

    public void Dispose()
    {
        _scope.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Merge_AsTheReference_GivesItsFile(string name)
    {
        var entry = ToolFixture.Case("svd_merge_lora", name);
        var options = new SvdMergeOptions
        {
            Rank = entry.GetProperty("new_rank").GetInt32(), ConvolutionRank = entry.GetProperty("new_conv_rank").GetInt32(),
        };
        if (ToolFixture.Fails(entry))
        {
            var fault = Assert.Throws<InvalidOptionsException>(() => SvdMerger.Merge(ToolFixture.Adapters(entry), Output, options));
            Assert.Contains("12, 17, 20 or 26", fault.Message, StringComparison.Ordinal);
            return;
        }

        SvdMerger.Merge(ToolFixture.Adapters(entry), Output, options);
        var expected = entry.GetProperty("value");
        using var file = WeightFile.Open(Output);
        foreach (var text in expected.GetProperty("metadata").EnumerateObject())
            Assert.Equal(text.Value.GetString(), file.Metadata[text.Name]);
        foreach (var alpha in expected.GetProperty("alphas").EnumerateObject())
            Assert.Equal(alpha.Value.GetDouble(), file.Load(alpha.Name).item<float>());
    }

    /// <summary>
    /// What the reference clamps depends on the signs that its decomposition returned: ours are given the same. Where the rank is larger
    /// than that of the sum its further vectors are arbitrary, so there the bound of the clamp is the reference's too.
    /// </summary>
    [Theory]
    [InlineData("two")]
    [InlineData("lbw17")]
    [InlineData("rank_large")]
    public void Merge_ClampedByTheReferencesSigns_GivesItsChanges(string name)
    {
        var entry = ToolFixture.Case("svd_merge_lora", name);
        var adapters = ToolFixture.Adapters(entry);
        using var golden = Golden.Open("networks", "file_tools.safetensors");
        var expected = ToolFixture.Deltas(golden, $"svd_merge/{name}/");
        var unclamped = new SvdMergeOptions
        {
            Rank = entry.GetProperty("new_rank").GetInt32(), ConvolutionRank = entry.GetProperty("new_conv_rank").GetInt32(),
            ClampQuantile = null,
        };
        SvdMerger.Merge(adapters, Output, unclamped);
        var merged = ToolFixture.Deltas(Output);
        var deltas = adapters.Select(adapter => ToolFixture.Deltas(adapter.Path)).ToList();
        var (sums, clamped) = (new Dictionary<string, Tensor>(), new Dictionary<string, Tensor>());
        foreach (var layer in expected.Keys)
        {
            var goldenUp = golden[$"svd_merge/{name}/{layer}.lora_up.weight"];
            var sum = adapters.Select((adapter, i) =>
                deltas[i][layer] * (adapter.Ratio * LoRABlockWeights.Of(adapter.BlockWeights, layer))).Aggregate((a, b) => a + b);
            var factors = LowRank.Of(sum.flatten(1)).Factors(goldenUp.shape[1]);
            sums[layer] = factors.Up.mm(factors.Down).reshape(sum.shape);
            var (up, down) = ToolFixture.WithSigns(factors, goldenUp);
            // Directions beyond the sum's own rank are arbitrary, and differ from processor to processor; the quantile counts them. There
            // the reference's own bound is taken.
            var bound = Math.Max(Most(goldenUp), Most(golden[$"svd_merge/{name}/{layer}.lora_down.weight"]));
            (up, down) = name == "rank_large" ? (up.clamp(-bound, bound), down.clamp(-bound, bound))
                : LowRank.Clamp(up, down, new SvdMergeOptions().ClampQuantile);
            clamped[layer] = up.mm(down).reshape(sum.shape);
        }

        ToolFixture.AssertSame(sums, merged, absolute: 2e-5, relative: 1e-4);
        ToolFixture.AssertSame(expected, clamped, absolute: 2e-5, relative: 1e-4);

        static float Most(Tensor tensor) => tensor.abs().max().to(ScalarType.Float32).item<float>();
    }

    [Theory]
    [InlineData("two")]
    [InlineData("rank_large")]
    public void Merge_Unclamped_IsTheBestApproximationOfTheSum(string name)
    {
        var entry = ToolFixture.Case("svd_merge_lora", name);
        // Nothing is cut: the ranks are those of the sums, or as large as the weights.
        SvdMerger.Merge(ToolFixture.Adapters(entry), Output, new SvdMergeOptions { Rank = 64, ClampQuantile = null });
        using var golden = Golden.Open("networks", "file_tools.safetensors");
        var prefix = $"svd_merge_sum/{name}/";
        var sums = golden.Names.Where(key => key.StartsWith(prefix, StringComparison.Ordinal))
            .ToDictionary(key => key[prefix.Length..], key => golden[key]);
        ToolFixture.AssertSame(sums, ToolFixture.Deltas(Output), absolute: 2e-5, relative: 1e-4);
        Assert.Equal(4, sums.Count);
    }

    [Fact]
    public void Decomposition_OfASum_HasTheGoldenSingularValues()
    {
        using var golden = Golden.Open("networks", "file_tools.safetensors");
        foreach (var name in golden.Names.Where(name => name.StartsWith("svd_merge_singular_values/", StringComparison.Ordinal)))
        {
            var sum = golden[name.Replace("singular_values", "sum", StringComparison.Ordinal)];
            golden.AssertWithin(name, LowRank.Of(sum.flatten(1)).Values, absolute: 2e-5, relative: 1e-4);
        }
    }

    [Fact]
    public void Merge_WithBlockWeights_ActsLikeScaledFiles()
    {
        var a = ToolFixture.Path("lora_files/lora_a.safetensors");
        SvdMerger.Merge([new(a, 1) { BlockWeights = [.. Enumerable.Repeat(0.5, 26)] }], Output, new SvdMergeOptions { Rank = 6 });
        var plain = _folder.File("plain.safetensors");
        SvdMerger.Merge([new(a, 0.5)], plain, new SvdMergeOptions { Rank = 6 });
        ToolFixture.AssertSame(ToolFixture.Deltas(plain), ToolFixture.Deltas(Output), absolute: 2e-5, relative: 1e-4);
    }

    [Theory]
    [InlineData("lora_te_text_model_encoder_layers_0_mlp_fc1", 26, 0)]
    [InlineData("lora_unet_down_blocks_0_attentions_0_proj_in", 26, 2)]
    [InlineData("lora_unet_down_blocks_2_downsamplers_0_conv", 26, 10)]
    [InlineData("lora_unet_mid_block_attentions_0_proj_in", 26, 13)]
    [InlineData("lora_unet_up_blocks_3_attentions_2_proj_in", 26, 25)]
    [InlineData("lora_unet_up_blocks_0_upsamplers_0_conv", 26, 16)]
    [InlineData("lora_unet_down_blocks_0_attentions_0_proj_in", 17, 1)]
    [InlineData("lora_unet_up_blocks_1_attentions_0_proj_in", 17, 8)]
    [InlineData("lora_unet_input_blocks_4_1_proj_in", 20, 5)]
    [InlineData("lora_unet_middle_block_1_proj_in", 20, 10)]
    [InlineData("lora_unet_output_blocks_8_0_in_layers_2", 20, 19)]
    [InlineData("lora_unet_input_blocks_4_1_proj_in", 12, 1)]
    [InlineData("lora_te1_text_model_encoder_layers_0_mlp_fc1", 12, 0)]
    public void BlockWeights_OfALayer_AreAtItsPlace(string layer, int count, int place)
    {
        double[] weights = [.. Enumerable.Range(0, count).Select(i => 2.0 + i)];
        Assert.Equal(2.0 + place, LoRABlockWeights.Of(weights, layer));
    }

    [Fact]
    public void BlockWeights_OfALayerThatTheListLeavesOut_AreOne() =>
        Assert.Equal(1, LoRABlockWeights.Of([.. Enumerable.Repeat(7.0, 17)], "lora_unet_down_blocks_0_downsamplers_0_conv"));

    [Fact]
    public void Merge_WrongRanks_NamesThem()
    {
        var fault = Assert.Throws<InvalidOptionsException>(() => SvdMerger.Merge(
            [ToolFixture.Path("lora_files/lora_a.safetensors")], Output,
            new SvdMergeOptions { Rank = 0, ConvolutionRank = -1, ClampQuantile = 2 }));
        Assert.Equal(["SvdMergeOptions.Rank", "SvdMergeOptions.ConvolutionRank", "SvdMergeOptions.ClampQuantile"],
            fault.Problems.Select(problem => problem.Option));
    }
}
