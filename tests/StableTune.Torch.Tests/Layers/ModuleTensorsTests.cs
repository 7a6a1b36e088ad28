namespace StableTune.Torch.Tests.Layers;

public sealed class ModuleTensorsTests
{
    private sealed class Block : nn.Module
    {
        internal readonly Linear proj = new(2, 2);
        internal readonly nn.Module<Tensor, Tensor> norms = nn.Sequential(("first", new GroupNorm(1, 2)), ("second", new LayerNorm(2)));
        internal readonly TorchSharp.Modules.ModuleList<Layer> blocks = nn.ModuleList<Layer>(new Conv2d(2, 2, 1), new Embedding(2, 2));
        internal readonly TorchSharp.Modules.BatchNorm2d batch = nn.BatchNorm2d(2);

        internal Block() : base(nameof(Block))
        {
            register_buffer("table", zeros(3));
            register_buffer("passing", zeros(3), persistent: false);
            RegisterComponents();
        }
    }

    [Fact]
    public void Named_EqualsTheStateDict()
    {
        using var module = new Block();
        var (named, expected) = (ModuleTensors.Named(module), module.state_dict());
        Assert.Equal(expected.Keys.Order(StringComparer.Ordinal), named.Keys.Order(StringComparer.Ordinal));
        Assert.All(expected, pair => Assert.Same(pair.Value, named[pair.Key]));
        Assert.Contains("norms.second.weight", named.Keys);
        Assert.Contains("table", named.Keys);
        Assert.DoesNotContain("passing", named.Keys);
        Assert.Throws<ArgumentNullException>(() => ModuleTensors.Named(null!));
    }
}
