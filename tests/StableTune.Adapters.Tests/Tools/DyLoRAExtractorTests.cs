using StableTune.Tensors;

namespace StableTune.Adapters.Tests.Tools;

public sealed class DyLoRAExtractorTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly string _input;

    public DyLoRAExtractorTests() => _input = ToolFixture.Write(_folder.File("dylora.safetensors"),
        new Dictionary<string, string>
        {
            ["ss_network_module"] = "networks.dylora", ["ss_network_dim"] = "6", ["ss_network_alpha"] = "3.0",
        },
        [.. ToolFixture.Layer("lora_unet_x_a", 8, 6, 10), .. ToolFixture.Layer("lora_unet_x_b", 8, 6, 4, seed: 1)]);

    public void Dispose()
    {
        _scope.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void Extract_GivesTheFirstRanksAtTheSameScale()
    {
        var files = DyLoRAExtractor.Extract(_input, _folder.File("out.safetensors"), new DyLoRAExtractOptions { Unit = 2 });
        Assert.Equal(["out-0002.safetensors", "out-0004.safetensors"], files.Select(file => Path.GetFileName(file.Path)));
        using var whole = WeightFile.Open(_input);
        using var part = WeightFile.Open(files[1].Path);
        var down = whole.Load("lora_unet_x_a.lora_down.weight").narrow(0, 0, 4);
        var up = whole.Load("lora_unet_x_a.lora_up.weight").narrow(1, 0, 4);
        Assert.True(part.Load("lora_unet_x_a.lora_down.weight").equal(down).all().item<bool>());
        Assert.True(part.Load("lora_unet_x_a.lora_up.weight").equal(up).all().item<bool>());
        Assert.Equal(2f, part.Load("lora_unet_x_a.alpha").item<float>());                    // 3 · 4 / 6
        Assert.Equal(("4", "2.0"), (part.Metadata["ss_network_dim"], part.Metadata["ss_network_alpha"]));
        Assert.Equal("split from DyLoRA, rank 6 to 4; ", part.Metadata["ss_training_comment"]);
        Assert.All(files, file => Assert.Empty(file.Notes));
    }

    [Fact]
    public void Extract_KeepingAlpha_LeavesItAsTheReferenceDoes()
    {
        var file = DyLoRAExtractor.Extract(
            _input, _folder.File("out.safetensors"), new DyLoRAExtractOptions { Unit = 4, KeepAlpha = true }).Single();
        using var part = WeightFile.Open(file.Path);
        Assert.Equal(3f, part.Load("lora_unet_x_a.alpha").item<float>());
        Assert.Equal("3.0", part.Metadata["ss_network_alpha"]);
    }

    [Fact]
    public void Extract_OfAnOrdinaryLoRA_SaysSo()
    {
        var plain = ToolFixture.Write(_folder.File("plain.safetensors"),
            new Dictionary<string, string> { ["ss_network_module"] = "networks.lora" }, ToolFixture.Layer("lora_unet_x_a", 8, 6, 10));
        var files = DyLoRAExtractor.Extract(plain, _folder.File("out.safetensors"));
        Assert.Contains("no DyLoRA", Assert.Single(Assert.Single(files).Notes), StringComparison.Ordinal);
    }

    [Fact]
    public void Extract_WithAUnitThatIsTooLarge_NamesTheRank()
    {
        var fault = Assert.Throws<InvalidOptionsException>(
            () => DyLoRAExtractor.Extract(_input, _folder.File("out.safetensors"), new DyLoRAExtractOptions { Unit = 6 }));
        Assert.Contains("6", Assert.Single(fault.Problems).Rule, StringComparison.Ordinal);
    }

    [Fact]
    public void Extract_OverAFile_WritesNone()
    {
        File.WriteAllText(_folder.File("out-0004.safetensors"), "mine");
        Assert.Throws<InvalidOptionsException>(
            () => DyLoRAExtractor.Extract(_input, _folder.File("out.safetensors"), new DyLoRAExtractOptions { Unit = 2 }));
        Assert.False(File.Exists(_folder.File("out-0002.safetensors")));
    }
}
