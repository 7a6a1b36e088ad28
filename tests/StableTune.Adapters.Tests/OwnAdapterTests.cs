namespace StableTune.Adapters.Tests;

/// <summary>A host's own kind of adapter, written against the public members alone: options and implementation, nothing else.</summary>
public sealed class OwnAdapterTests
{
    /// <summary>ΔW itself is trained: as large as the layer.</summary>
    private sealed record DifferenceOptions : AdapterOptions
    {
        public override string KeyPrefix => "own";

        public override NetworkAdapter Create(AdaptedLayer layer, Generator random) => new Difference(layer);
    }

    private sealed class Difference : NetworkAdapter
    {
        private readonly Parameter diff;

        public Difference(AdaptedLayer layer) : base(nameof(Difference), layer)
        {
            diff = Trainable(zeros(layer.Shape.WeightShape));
            RegisterComponents();
        }

        public override Tensor DeltaWeight(Tensor weight) => diff.alias();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void OwnKind_TrainsSavesLoadsAndMerges(bool convolution)
    {
        using var folder = new TemporaryFolder();
        using var scope = NewDisposeScope();
        nn.Module<Tensor, Tensor> layer = convolution ? new Conv2d(3, 5, 1) : new Linear(3, 5);
        layer.SetRequiresGrad(false);
        using var model = ModelTree.Of(layer);
        var x = convolution ? randn(2, 3, 4, 4) : randn(2, 3);
        var plain = layer.call(x);
        using var network = AdapterNetwork.Attach(new AdapterHosts(model), new DifferenceOptions(), new Generator(0));
        var (name, parameter, adapted) = Assert.Single(network.NamedParameters());
        Assert.Equal("own_unet_test.diff", name);
        Assert.Same(layer, adapted.Module);

        layer.call(x).sum().backward();
        Assert.NotEqual(0, parameter.grad!.abs().sum().item<float>());
        using (no_grad()) parameter.sub_(parameter.grad!);
        var trained = layer.call(x);
        Assert.True(trained.sum().item<float>() < plain.sum().item<float>());

        network.Save(folder.File("own.safetensors"));
        using (no_grad()) parameter.zero_();
        GoldenComparison.AssertClose("zeroed", plain, layer.call(x), 0);
        network.LoadWeights(folder.File("own.safetensors")).ThrowIfIncomplete();
        network.SetMultiplier(0.5f);
        var half = layer.call(x);
        GoldenComparison.AssertClose("half", (plain + trained) / 2, half, 1e-5);
        network.Merge();
        GoldenComparison.AssertClose("merged", half, layer.call(x), 1e-5);
        var description = new DifferenceOptions().Describe();
        Assert.Equal((typeof(DifferenceOptions).FullName, null, null), (description.Module, description.Dim, description.Alpha));
        Assert.Empty(description.Arguments);
    }
}
