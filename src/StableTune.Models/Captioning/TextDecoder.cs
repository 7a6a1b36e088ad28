namespace StableTune.Models;

/// <summary>A BERT that writes: each token looks at those before it, and at what the text is about. With the parameter names of
/// <c>transformers</c>' <c>BlipTextLMHeadModel</c>.</summary>
/// <remarks>Li et al. 2022, arXiv:2201.12086; Devlin et al. 2018, arXiv:1810.04805. It records no gradients.</remarks>
internal sealed class TextDecoder : nn.Module
{
    // As the reference has it: its exponential is 0, and a row that is hidden as a whole still is no NaN.
    private const double Hidden = -10_000;

    private readonly DecoderBody bert;
    private readonly DecoderHead cls;

    /// <param name="options">The decoder; valid.</param>
    /// <param name="contextWidth">Width of what texts are about.</param>
    internal TextDecoder(BertTextOptions options, int contextWidth) : base(nameof(TextDecoder))
    {
        Options = options;
        bert = new DecoderBody(options, contextWidth);
        cls = new DecoderHead(options);
        RegisterComponents();
    }

    internal BertTextOptions Options { get; }

    internal DecoderBody Body => bert;

    internal Device Device => bert.Embeddings.Tokens.weight.device;

    /// <summary>Memory for texts about something, [texts, M, context width].</summary>
    internal DecoderMemory Begin(Tensor context)
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        var own = context.As(bert.Embeddings.Tokens.weight.dtype);
        return new DecoderMemory([.. bert.Layers.Select(layer => layer.Context(own))]);
    }

    /// <summary>Scores of what may follow the new tokens.</summary>
    /// <param name="ids">The new tokens of each row, [rows, L], int64.</param>
    /// <param name="memory">The tokens before; the new ones are added.</param>
    /// <param name="mask">[rows, L]: 0 for tokens that none looks at; null for none. Only for texts that begin.</param>
    /// <param name="lastOnly">Whether only what follows the last token is wanted.</param>
    /// <returns>[rows, L, V], or [rows, V].</returns>
    internal Tensor Run(Tensor ids, DecoderMemory memory, Tensor? mask = null, bool lastOnly = false)
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        var hidden = bert.Embeddings.Run(ids, memory.Length);
        var bias = ids.shape[1] == 1 && mask is null ? null : Bias(ids.shape[1], memory.Length, mask, hidden);
        var number = 0;
        foreach (var layer in bert.Layers) hidden = layer.Run(hidden, bias, memory, number++);
        memory.Length += (int)ids.shape[1];
        if (lastOnly) hidden = hidden.select(1, -1);
        return cls.Run(hidden, bert.Embeddings.Tokens.weight).MoveToOuterDisposeScope();
    }

    /// <summary>[rows or 1, 1, L, before + L]: 0 where a token looks at itself or one before it, <see cref="Hidden"/> elsewhere.</summary>
    private static Tensor Bias(long length, int before, Tensor? mask, Tensor like)
    {
        using var scope = NewDisposeScope();
        var all = ones([1, 1, length, before + length], dtype: ScalarType.Bool, device: like.device);
        var hidden = all.triu(before + 1);
        if (mask is not null) hidden = hidden.logical_or(mask.eq(0).unsqueeze(1).unsqueeze(1));
        return zeros(hidden.shape, dtype: like.dtype, device: like.device).masked_fill(hidden, Hidden).MoveToOuterDisposeScope();
    }
}
