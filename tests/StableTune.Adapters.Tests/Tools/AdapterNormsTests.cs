namespace StableTune.Adapters.Tests.Tools;

public sealed class AdapterNormsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose()
    {
        _scope.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void Measure_OfALoRA_GivesTheNormsOfItsChanges()
    {
        var path = ToolFixture.Path("lora_files/lora_a.safetensors");
        var norms = AdapterNorms.Measure(path);
        var deltas = ToolFixture.Deltas(path);
        Assert.Equal(deltas.Count, norms.Layers.Count);
        foreach (var layer in norms.Layers) Assert.Equal(deltas[layer.Name].norm().item<float>(), layer.DeltaNorm!.Value, 4);
        Assert.Equal(["te", "unet 1"], norms.Blocks.Select(block => block.Block));
        Assert.Equal(Math.Sqrt(norms.Layers.Where(layer => layer.Block == 1).Sum(layer => Math.Pow(layer.DeltaNorm!.Value, 2))),
            norms.Blocks[1].Norm, 6);
        Assert.Equal(3, norms.Blocks[1].Layers);
        Assert.Contains("unet 1", norms.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Measure_OfAnotherKind_GivesItsWeightsWithoutTheChange()
    {
        var path = ToolFixture.Write(_folder.File("lokr.safetensors"), null,
            ("lora_unet_mid_block_attentions_0_proj_in.lokr_w1", tensor(new[] { 1f, -3f })),
            ("lora_unet_mid_block_attentions_0_proj_in.lokr_w2", tensor(new[] { 2f, 2f })));
        var layer = Assert.Single(AdapterNorms.Measure(path).Layers);
        Assert.Equal((null, 2.0, 3.0, 12), (layer.DeltaNorm, layer.MeanAbsolute, layer.LargestAbsolute, layer.Block));
    }

    [Theory]
    [InlineData("lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q", "attn1_to_q")]
    [InlineData("lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_out_0", "attn1_to_out_0")]
    [InlineData("lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_ff_net_0_proj", "ff_net_0_proj")]
    [InlineData("lora_unet_mid_block_attentions_0_proj_in", "proj_in")]
    [InlineData("lora_te_text_model_encoder_layers_0_mlp_fc1", "mlp_fc1")]
    public void Kind_OfALayer_IsItsPlaceInTheBlock(string name, string kind) =>
        Assert.Equal(kind, new LayerNorms(name, "unet", null, null, null, null, 0, 0).Kind);

    [Fact]
    public void Measure_OfAFileWithoutAdapters_SaysSo()
    {
        var path = ToolFixture.Write(_folder.File("model.safetensors"), null, ("conv_in.weight", ones(2)));
        var fault = Assert.Throws<InvalidFileException>(() => AdapterNorms.Measure(path));
        Assert.Contains("no adapter", fault.Message, StringComparison.Ordinal);
    }
}
