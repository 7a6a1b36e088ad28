using TorchSharp.Modules;

namespace StableTune.Models;

/// <summary>Multi-head attention of hidden states to themselves or to a text context.</summary>
/// <remarks>diffusers' <c>Attention</c>: <c>to_q</c>, <c>to_k</c>, <c>to_v</c> without bias, <c>to_out.0</c> with.</remarks>
internal sealed class Attention : nn.Module<Tensor, Tensor?, Tensor>
{
    private readonly Linear to_q;
    private readonly Linear to_k;
    private readonly Linear to_v;
    private readonly ModuleList<nn.Module<Tensor, Tensor>> to_out;
    private readonly int _heads;
    private readonly bool _upcast;
    private readonly ForwardSettings _settings;

    /// <summary>Creates the layer; its inner width is that of the queries.</summary>
    internal Attention(int queryDim, int contextDim, int heads, bool upcast, ForwardSettings settings) : base(nameof(Attention))
    {
        (_heads, _upcast, _settings) = (heads, upcast, settings);
        to_q = new Linear(queryDim, queryDim, hasBias: false);
        to_k = new Linear(contextDim, queryDim, hasBias: false);
        to_v = new Linear(contextDim, queryDim, hasBias: false);
        to_out = new ModuleList<nn.Module<Tensor, Tensor>>(new Linear(queryDim, queryDim));
        RegisterComponents();
    }

    /// <summary>[B, N, C] and the context [B, L, contextDim] (null: the hidden states themselves) to [B, N, C].</summary>
    public override Tensor forward(Tensor hidden, Tensor? context)
    {
        using var scope = NewDisposeScope();
        context ??= hidden;
        var (q, k, v) = (to_q.call(hidden), to_k.call(context), to_v.call(context));
        var result = Heads.Attend(_settings.Attention, q, k, v, _heads, _upcast);
        return result.Into(to_out[0]).MoveToOuterDisposeScope();
    }
}

/// <summary>Attention over several heads.</summary>
internal static class Heads
{
    /// <summary>Splits the channels into heads, attends, and joins them: [B, N, C], [B, M, C], [B, M, C] to [B, N, C].</summary>
    internal static Tensor Attend(AttentionBackend form, Tensor query, Tensor key, Tensor value, int heads, bool upcast)
    {
        using var scope = NewDisposeScope();
        var (batch, queries, channels) = (query.size(0), query.size(1), query.size(2));
        var scale = 1 / Math.Sqrt((double)channels / heads);
        var result = form.Attend(Split(query, heads), Split(key, heads), Split(value, heads), scale, upcast);   // [B·heads, N, d]
        return result.view(batch, heads, queries, -1).permute(0, 2, 1, 3).reshape(batch, queries, channels).MoveToOuterDisposeScope();
    }

    // A view for a batch of one, a copy else.
    private static Tensor Split(Tensor x, int heads)
    {
        var (batch, length, channels) = (x.size(0), x.size(1), x.size(2));
        return x.view(batch, length, heads, channels / heads).permute(0, 2, 1, 3).reshape(batch * heads, length, channels / heads);
    }
}
