using TorchSharp.Modules;

namespace StableTune.Models;

/// <summary>x to a · gelu(b), where a and b are the halves of one linear layer.</summary>
/// <remarks>Shazeer, GLU variants improve transformer, arXiv:2002.05202. The exact (erf) GELU; the gate is the second half.</remarks>
internal sealed class GEGLU : nn.Module<Tensor, Tensor>
{
    private readonly Linear proj;

    internal GEGLU(int inDim, int outDim) : base(nameof(GEGLU))
    {
        proj = new Linear(inDim, 2 * outDim);
        RegisterComponents();
    }

    /// <summary>[B, N, in] to [B, N, out].</summary>
    public override Tensor forward(Tensor hidden)
    {
        using var scope = NewDisposeScope();
        return Activations.GatedGelu(proj.call(hidden)).MoveToOuterDisposeScope();
    }
}

/// <summary>The feed-forward part of a transformer block, four times as wide inside.</summary>
/// <remarks>diffusers' <c>FeedForward</c>: <c>net.0</c> is the gated layer, <c>net.1</c> a dropout that never drops, <c>net.2</c> the way
/// back.</remarks>
internal sealed class FeedForward : nn.Module<Tensor, Tensor>
{
    private readonly ModuleList<nn.Module<Tensor, Tensor>> net;

    internal FeedForward(int dim) : base(nameof(FeedForward))
    {
        net = new ModuleList<nn.Module<Tensor, Tensor>>(new GEGLU(dim, 4 * dim), nn.Dropout(0), new Linear(4 * dim, dim));
        RegisterComponents();
    }

    /// <summary>[B, N, C] to [B, N, C].</summary>
    public override Tensor forward(Tensor hidden)
    {
        using var scope = NewDisposeScope();
        return net[0].call(hidden).Into(net[2]).MoveToOuterDisposeScope();
    }
}
