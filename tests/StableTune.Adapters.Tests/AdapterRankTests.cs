namespace StableTune.Adapters.Tests;

/// <summary>Ranks and alphas by size, by block and by pattern.</summary>
public sealed class AdapterRankTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly ModelTree _model = ModelTree.FromWeights([("down_blocks.0.attentions.0.proj_in.weight", [320, 64]),
        ("down_blocks.0.attentions.0.proj_out.weight", [64, 5120]), ("down_blocks.0.resnets.0.conv1.weight", [30, 20, 3, 3]),
        ("mid_block.attentions.0.proj_in.weight", [32, 32])]);

    public void Dispose()
    {
        _model.Dispose();
        _scope.Dispose();
    }

    private Dictionary<string, (long Rank, float Alpha)> Ranks(FactoredAdapterOptions options)
    {
        using var network = AdapterNetwork.Attach(new AdapterHosts(_model), options with { Layers = LayerSelection.Everything },
            new Generator(0));
        return network.Adapters.ToDictionary(adapter => Ends(adapter.Layer.Path), adapter =>
        {
            var saved = adapter.SavedTensors();
            var (down, alpha) = (saved.Single(t => t.Key is "lora_down.weight" or "hada_w1_b").Value, saved["alpha"]);
            return (down.shape[0], alpha.item<float>());
        });
    }

    private static string Ends(string path) => $"{path.Split('.')[0]}.{path.Split('.')[^1]}";

    [Fact]
    public void DynamicRank_FollowsTheRootOfTheSmallerSide()
    {
        // ⌈√64⌉ = 8 and ⌈√320⌉ = 18; ⌈√20⌉ = 5; ⌈√32⌉ = 6. LoRA takes twice as much.
        var loha = Ranks(new LoHaOptions { DynamicRank = true });
        Assert.Equal([8L, 8, 5, 6], new[] { "down_blocks.proj_in", "down_blocks.proj_out", "down_blocks.conv1", "mid_block.proj_in" }
            .Select(path => loha[path].Rank));
        var lora = Ranks(new LoRAOptions { DynamicRank = true, Alpha = 3 });
        Assert.All(loha, entry => Assert.Equal((2 * entry.Value.Rank, 3f), lora[entry.Key]));
    }

    [Fact]
    public void Patterns_WinOverBlocks_AndBlocksOverTheRank()
    {
        int[] ranks = [.. Enumerable.Range(0, 25).Select(block => block == 12 ? 0 : 2 + block)];
        var found = Ranks(new LoRAOptions
        {
            Rank = 4, ConvRank = 7, ConvAlpha = 5, BlockRanks = ranks, LayerRanks = [new LayerRank(@"proj_out$", 9, 2)],
        });
        Assert.Equal((3L, 1f), found["down_blocks.proj_in"]);
        Assert.Equal((9L, 2f), found["down_blocks.proj_out"]);
        Assert.Equal((7L, 5f), found["down_blocks.conv1"]);
        Assert.DoesNotContain("mid_block.proj_in", found.Keys);                          // a rank of 0 leaves the block out
    }

    [Fact]
    public void RankStabilized_SavesAnAlphaThatReadersUnderstand()
    {
        var found = Ranks(new LoRAOptions { Rank = 16, Alpha = 2, RankStabilized = true });
        Assert.All(found.Values, entry => Assert.Equal((16L, 8f), entry));               // 8 / 16 = 2 / √16
    }

    [Theory]
    [InlineData("LoRAOptions.BlockRanks is 3: blocks are counted otherwise. give 25 numbers")]
    [InlineData("LoRAOptions.LayerRanks is \"(\": this is no regular expression")]
    [InlineData("LoRAOptions.LayerRanks is -1: a rank must not be negative")]
    [InlineData("LoRAOptions.BlockAlphas is")]
    public void Ranks_ThatCannotWork_AreNamed(string message)
    {
        var options = new LoRAOptions
        {
            BlockRanks = [1, 2, 3], LayerRanks = [new LayerRank("(", 2), new LayerRank("x", -1)],
            BlockAlphas = [.. Enumerable.Repeat(float.NaN, 25)],
        };
        Assert.Contains(message, string.Join('\n', options.Validate()), StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>Kinds of LyCORIS leave out whole outputs of the term, for all samples alike, and do not make larger what stays.</summary>
    [Theory]
    [InlineData("LoHa")]
    [InlineData("LoKr")]
    [InlineData("GLoRA")]
    public void RankDropout_OfLyCorisKinds_LeavesOutOutputs(string kind)
    {
        FactoredAdapterOptions options = kind switch
        {
            "LoHa" => new LoHaOptions { Rank = 2, RankDropout = 0.4 },
            "LoKr" => new LoKrOptions { Rank = 2, RankDropout = 0.4 },
            _ => new GLoRAOptions { Rank = 2, RankDropout = 0.4 },
        };
        foreach (var isConvolution in new[] { false, true })
        {
            nn.Module<Tensor, Tensor> layer = isConvolution ? new Conv2d(6, 8, 3, padding: 1) : new Linear(6, 8);
            layer.SetRequiresGrad(false);
            using var network = AdapterNetwork.Attach(new AdapterHosts(ModelTree.Of(layer)),
                options with { Layers = LayerSelection.Everything }, new Generator(0));
            using (no_grad())
                foreach (var (_, parameter, _) in network.NamedParameters()) parameter.add_(0.3);
            var x = isConvolution ? randn([2, 6, 4, 4], generator: new Generator(1)) : randn([2, 3, 6], generator: new Generator(1));
            network.SetTraining(false);
            var full = layer.call(x);
            network.Detach();
            var plain = layer.call(x);
            network.Reattach();
            network.SetTraining(true);
            Assert.Throws<InvalidOperationException>(() => layer.call(x));               // no step was begun
            var mask = tensor(new float[] { 1, 0, 1, 1, 0, 1, 0, 1 });
            ((FactoredAdapter)network.Adapters[0]).DrawMask = (shape, p, _) =>
            {
                Assert.Equal([8L], shape);
                Assert.Equal(0.4, p);
                return mask.gt(0.5);
            };
            network.BeginStep(new Generator(1));
            var expected = plain + (full - plain) * (isConvolution ? mask.reshape(8, 1, 1) : mask);
            GoldenComparison.AssertClose("output", expected, layer.call(x), 1e-5, relativeToMax: true);
        }
    }

    [Fact]
    public void DrawnUnits_OfAStep_AreTheSameWhenAPassIsRepeated()
    {
        using var layer = new Linear(6, 8);
        layer.SetRequiresGrad(false);
        using var network = AdapterNetwork.Attach(new AdapterHosts(ModelTree.Of(layer)),
            new DyLoRAOptions { Rank = 8, Alpha = 8, Layers = LayerSelection.Everything }, new Generator(0));
        using (no_grad())
            foreach (var (_, parameter, _) in network.NamedParameters()) parameter.add_(0.3);
        var x = randn([2, 6], generator: new Generator(1));
        Assert.Throws<InvalidOperationException>(() => layer.call(x));
        var (random, outputs) = (new Generator(5), new List<Tensor>());
        for (var step = 0; step < 20; step++)
        {
            network.BeginStep(random);
            outputs.Add(layer.call(x));
            Assert.True(outputs[^1].Equals(layer.call(x)));
        }

        Assert.InRange(outputs.Select(y => y.sum().item<float>()).Distinct().Count(), 4, 8);
    }
}
