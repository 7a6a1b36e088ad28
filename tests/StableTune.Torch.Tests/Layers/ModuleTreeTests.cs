namespace StableTune.Torch.Tests.Layers;

/// <summary>Walks of module trees give what TorchSharp's own give, each thing once.</summary>
public sealed class ModuleTreeTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    /// <summary>A parameter of its own, another module's parameter, a buffer, and a child in two places.</summary>
    private sealed class Tree : nn.Module
    {
        internal readonly Linear shared = new(2, 2);
        internal readonly nn.Module<Tensor, Tensor> twice;
        internal readonly Parameter own = new(zeros(3));
        internal readonly Parameter borrowed;

        internal Tree() : base(nameof(Tree))
        {
            twice = nn.Sequential(("first", shared), ("norm", new GroupNorm(1, 2)));
            borrowed = shared.weight;
            RegisterComponents();
            register_buffer("kept", zeros(1));
        }
    }

    [Fact]
    public void Modules_AreTheRootAndAllBelow_EachOnce()
    {
        using var tree = new Tree();
        var found = ModuleTree.Modules(tree);
        Assert.Same(tree, found[0]);
        Assert.Equal(found.Count, found.Distinct().Count());
        Assert.Equal(4, found.Count);
        Assert.Contains(tree.shared, found);
        Assert.Contains(found, module => module is GroupNorm);
    }

    [Fact]
    public void Parameters_AreThoseOfTorchSharp_InItsOrder()
    {
        using var tree = new Tree();
        var found = ModuleTree.Parameters(tree);
        Assert.Equal(tree.parameters().Select(parameter => parameter.Handle), found.Select(parameter => parameter.Handle));
        Assert.Equal(5, found.Count);
        Assert.Contains(tree.own, found);
    }

    [Fact]
    public void Buffers_AreThoseOfTorchSharp()
    {
        using var tree = new Tree();
        Assert.Equal(tree.buffers().Select(buffer => buffer.Handle), ModuleTree.Buffers(tree).Select(buffer => buffer.Handle));
        Assert.Single(ModuleTree.Buffers(tree));
    }
}
