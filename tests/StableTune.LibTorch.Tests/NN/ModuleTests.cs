namespace StableTune.LibTorch.Tests;

public sealed class ModuleTests
{
    private sealed class Block : nn.Module<Tensor, Tensor>
    {
        private readonly Linear to_q;
        private readonly Parameter scale;
        private readonly Tensor position_ids;
        private readonly Linear? absent = null;

        internal Block(long width) : base("Block")
        {
            using var scope = NewDisposeScope();
            to_q = nn.Linear(width, width);
            scale = nn.Parameter(ones(width));
            position_ids = arange(3);
            RegisterComponents();
            RegisterComponents();
        }

        public override Tensor forward(Tensor input)
        {
            using var scope = NewDisposeScope();
            Assert.Null(absent);
            Assert.Equal(3, position_ids.shape[0]);
            return (to_q.call(input) * scale).MoveToOuterDisposeScope();
        }
    }

    private sealed class Network : nn.Module<Tensor, Tensor>
    {
        private readonly Conv2d conv_in = nn.Conv2d(1, 2, 3, padding: 1);
        private readonly ModuleList<Block> blocks = nn.ModuleList(new Block(2), new Block(2));
        internal Linear Head { get; } = nn.Linear(2, 1);

        internal Network() : base(nameof(Network)) => RegisterComponents();

        public override Tensor forward(Tensor input) => Head.call(blocks[1].call(blocks[0].call(input)));

        internal long Kernel => conv_in.kernel_size[0];
    }

    private static readonly string[] s_names =
    [
        "conv_in.weight", "conv_in.bias",
        "blocks.0.scale", "blocks.0.position_ids", "blocks.0.to_q.weight", "blocks.0.to_q.bias",
        "blocks.1.scale", "blocks.1.position_ids", "blocks.1.to_q.weight", "blocks.1.to_q.bias",
        "Head.weight", "Head.bias",
    ];

    [Fact]
    public void StateDict_OfNestedModules_ListsNamesInOrder()
    {
        using var network = new Network();
        Assert.Equal(s_names, network.state_dict().Keys);
        Assert.Equal(s_names.Where(name => !name.EndsWith("position_ids", StringComparison.Ordinal)), network.named_parameters().Select(p => p.name));
        Assert.Equal(["blocks.0.position_ids", "blocks.1.position_ids"], network.named_buffers().Select(b => b.name));
        Assert.Equal(["conv_in", "blocks", "blocks.0", "blocks.0.to_q", "blocks.1", "blocks.1.to_q", "Head"], network.named_modules().Select(m => m.name));
        Assert.Equal(["conv_in", "blocks", "Head"], network.named_children().Select(c => c.name));
        Assert.Empty(network.parameters(recurse: false));
        Assert.Equal("text.conv_in.weight", network.state_dict(prefix: "text").Keys.First());
        Assert.Equal("Network", network.GetName());
        Assert.Equal(3, network.Kernel);
    }

    [Fact]
    public void GetParameter_ByPath_FindsIt()
    {
        using var network = new Network();
        Assert.Equal([2L, 2], network.get_parameter("blocks.1.to_q.weight")!.shape);
        Assert.Null(network.get_parameter("blocks.1.to_q.nothing"));
        Assert.Null(network.get_parameter("blocks.7.to_q.weight"));
        Assert.True(network.has_buffer("blocks.0.position_ids"));
        Assert.False(network.has_parameter("blocks.0.position_ids"));
    }

    [Fact]
    public void NamedParameters_OfTiedWeight_CountItOnce()
    {
        using var first = nn.Linear(2, 2);
        using var both = nn.ModuleList(first, first);
        Assert.Equal(["0.weight", "0.bias"], both.named_parameters().Select(p => p.name));
        Assert.Equal(4, both.state_dict().Count);
    }

    [Theory]
    [InlineData("")]
    [InlineData("a.b")]
    public void Register_WithUnusableName_Throws(string name)
    {
        using var list = nn.ModuleList<nn.Module>();
        using var child = nn.Identity();
        Assert.Throws<ArgumentException>(() => list.register_module(name, child));
    }

    [Fact]
    public void Register_UnderTakenName_Throws()
    {
        using var linear = nn.Linear(2, 2);
        using var buffer = zeros(2);
        var error = Assert.Throws<InvalidOperationException>(() => linear.register_buffer("weight", buffer));
        Assert.Contains("'weight' is taken", error.Message, StringComparison.Ordinal);
        Assert.Throws<InvalidOperationException>(() => linear.register_module("self", linear));
    }

    [Fact]
    public void Buffer_NotPersistent_StaysOutOfStateDict()
    {
        using var linear = nn.Linear(2, 2);
        linear.register_buffer("kept", zeros(1));
        linear.register_buffer("cache", zeros(1), persistent: false);
        Assert.Equal(["weight", "bias", "kept"], linear.state_dict().Keys);
        Assert.Equal(2, linear.buffers().Count());
    }

    [Fact]
    public void LoadStateDict_OfAnotherModule_CopiesEverything()
    {
        using var scope = NewDisposeScope();
        using var source = new Network();
        using var target = new Network();
        var (missing, unexpected) = target.load_state_dict(source.state_dict());
        Assert.Empty(missing);
        Assert.Empty(unexpected);
        foreach (var (name, tensor) in source.state_dict()) Close.To(target.state_dict()[name], tensor, 0);
        source.get_parameter("Head.bias")!.detach().add_(1);
        Assert.NotEqual(source.Head.bias!.ToSingle(), target.Head.bias!.ToSingle());
        Assert.True(target.Head.weight.requires_grad);
    }

    [Fact]
    public void LoadStateDict_Strict_ListsAllFaultsAndChangesNothing()
    {
        using var scope = NewDisposeScope();
        using var network = nn.Linear(2, 2);
        var before = network.bias!.clone();
        var source = new Dictionary<string, Tensor> { ["weight"] = zeros(3, 2), ["bias"] = before + 1, ["extra"] = zeros(1) };
        var error = Assert.Throws<InvalidOperationException>(() => network.load_state_dict(source));
        Assert.Contains("1 unexpected:\n    extra", error.Message, StringComparison.Ordinal);
        Assert.Contains("weight: the module has [2, 2], the source [3, 2]", error.Message, StringComparison.Ordinal);
        Close.To(network.bias, before, 0);

        source.Remove("weight");
        error = Assert.Throws<InvalidOperationException>(() => network.load_state_dict(source));
        Assert.Contains("1 missing:\n    weight", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void LoadStateDict_NotStrict_ReturnsMissingAndUnexpected()
    {
        using var scope = NewDisposeScope();
        using var network = nn.Linear(2, 2);
        var source = new Dictionary<string, Tensor> { ["bias"] = full([2], 5.0), ["extra"] = zeros(1) };
        var (missing, unexpected) = network.load_state_dict(source, strict: false);
        Assert.Equal(["weight"], missing);
        Assert.Equal(["extra"], unexpected);
        Close.To(network.bias!, [5, 5], 0);

        source["bias"] = zeros(3);
        Assert.Throws<InvalidOperationException>(() => network.load_state_dict(source, strict: false));
        (missing, unexpected) = network.load_state_dict(source, skip: ["weight", "bias", "extra"]);
        Assert.Empty(missing);
        Assert.Empty(unexpected);
    }

    [Fact]
    public void LoadStateDict_FromOtherDtype_Converts()
    {
        using var scope = NewDisposeScope();
        using var network = nn.Linear(1, 1);
        network.load_state_dict(new Dictionary<string, Tensor> { ["weight"] = full([1, 1], 0.5, dtype: ScalarType.Float16), ["bias"] = full([1], 2L) });
        Assert.Equal(ScalarType.Float32, network.weight.dtype);
        Close.To(network.weight, [0.5], 0);
        Close.To(network.bias!, [2], 0);
    }

    [Fact]
    public void To_Dtype_KeepsIdentityAndIntegers()
    {
        using var scope = NewDisposeScope();
        using var network = new Network();
        var weight = network.Head.weight;
        network.Head.weight.grad = ones(1, 2);
        Assert.Same(network, network.to(ScalarType.Float64));
        Assert.Same(weight, network.Head.weight);
        Assert.Equal(ScalarType.Float64, weight.dtype);
        Assert.True(weight.requires_grad && weight.is_leaf);
        Assert.Equal(ScalarType.Float64, weight.grad!.dtype);
        Assert.Equal(ScalarType.Int64, network.get_buffer("blocks.0.position_ids")!.dtype);
        Assert.All(network.parameters(), p => Assert.Equal(ScalarType.Float64, p.dtype));
        Assert.Throws<ArgumentException>(() => network.to(ScalarType.Int64));

        network.zero_grad();
        network.Head.call(ones([1, 2], dtype: ScalarType.Float64)).sum().backward();
        Close.To(network.Head.weight.grad!, [1, 1], 0);
    }

    [Fact]
    public void RequiresGradAndZeroGrad_ReachAllParameters()
    {
        using var scope = NewDisposeScope();
        using var network = new Network();
        network.call(ones(1, 2)).sum().backward();
        Assert.NotNull(network.Head.bias!.grad);
        network.zero_grad(set_to_none: false);
        Close.To(network.Head.bias.grad!, [0], 0);
        network.zero_grad();
        Assert.Null(network.Head.bias.grad);
        Assert.Same(network, network.requires_grad_(false));
        Assert.All(network.parameters(), p => Assert.False(p.requires_grad));
        Assert.False(network.call(ones(1, 2)).requires_grad);
    }

    [Fact]
    public void TrainAndEval_ReachAllModules()
    {
        using var network = new Network();
        Assert.True(network.training);
        network.eval();
        Assert.All(network.modules(), module => Assert.False(module.training));
        Assert.False(network.training);
        network.train();
        Assert.All(network.modules(), module => Assert.True(module.training));
    }

    [Fact]
    public void Apply_VisitsChildrenFirst()
    {
        using var network = new Network();
        var visited = new List<string>();
        network.apply(module => visited.Add(module.GetName()));
        Assert.Equal(["Conv2d", "Linear", "Block", "Linear", "Block", "ModuleList", "Linear", "Network"], visited);
    }

    [Fact]
    public void Parameter_OfATensor_TakesItOverAndLeavesTheScope()
    {
        Parameter parameter;
        Tensor data;
        using (NewDisposeScope())
        {
            data = ones(2);
            parameter = nn.Parameter(data);
        }
        Assert.True(data.IsInvalid);
        Assert.True(parameter is { requires_grad: true, is_leaf: true });
        Close.To(parameter, [1, 1], 0);
        parameter.Dispose();
    }

    [Fact]
    public void Parameter_OfAComputedTensor_IsALeaf()
    {
        using var scope = NewDisposeScope();
        var source = ones(2, requires_grad: true);
        using var parameter = nn.Parameter(source * 2, requires_grad: false);
        Assert.True(parameter.is_leaf);
        Assert.False(parameter.requires_grad);
    }
}
