namespace StableTune.Models;

/// <summary>
/// What a decoder keeps of the texts that it writes: keys and values of all tokens so far, so that a step computes the newest token alone,
/// and those of what the texts are about, which are computed once. The rows of one text stand together.
/// </summary>
internal sealed class DecoderMemory : IDisposable
{
    private readonly Tensor?[] _keys, _values;
    private readonly Tensor[] _contextKeys, _contextValues;

    /// <summary>The memory of texts without a token.</summary>
    /// <param name="context">For each layer keys and values of what the texts are about, [texts, heads, M, size]; taken over.</param>
    internal DecoderMemory(IReadOnlyList<(Tensor Keys, Tensor Values)> context)
    {
        _contextKeys = [.. context.Select(layer => layer.Keys.DetachFromDisposeScope())];
        _contextValues = [.. context.Select(layer => layer.Values.DetachFromDisposeScope())];
        (_keys, _values) = (new Tensor?[context.Count], new Tensor?[context.Count]);
    }

    /// <summary>Tokens of each row.</summary>
    internal int Length { get; set; }

    /// <summary>How many texts are written.</summary>
    internal long Texts => _contextKeys[0].shape[0];

    /// <summary>Keys and values of what a layer's texts are about, [texts, heads, M, size].</summary>
    internal (Tensor Keys, Tensor Values) Context(int layer) => (_contextKeys[layer], _contextValues[layer]);

    /// <summary>Adds keys and values of new tokens.</summary>
    /// <param name="layer">The layer, from 0.</param>
    /// <param name="keys">[rows, heads, new, size].</param>
    /// <param name="values">The same shape.</param>
    /// <returns>Those of all tokens; this object's.</returns>
    internal (Tensor Keys, Tensor Values) Add(int layer, Tensor keys, Tensor values)
    {
        _keys[layer] = InPlaceOf(_keys[layer], _keys[layer] is { } known ? cat([known, keys], 2) : keys.alias());
        _values[layer] = InPlaceOf(_values[layer], _values[layer] is { } kept ? cat([kept, values], 2) : values.alias());
        return (_keys[layer]!, _values[layer]!);
    }

    /// <summary>Goes on with some rows, each as often as it is named, in this order.</summary>
    /// <param name="rows">Numbers of rows; those of one text together, and as many of each.</param>
    /// <param name="texts">Numbers of the texts that these are of; null where all stay.</param>
    internal void Select(long[] rows, long[]? texts)
    {
        using var scope = NewDisposeScope();
        var device = _contextKeys[0].device;
        for (var layer = 0; layer < _keys.Length; layer++)
        {
            if (_keys[layer] is not { } known || IsAll(rows, known.shape[0])) continue;
            var index = tensor(rows, device: device);
            _keys[layer] = InPlaceOf(known, known.index_select(0, index));
            _values[layer] = InPlaceOf(_values[layer], _values[layer]!.index_select(0, index));
        }

        if (texts is null || IsAll(texts, Texts)) return;
        var kept = tensor(texts, device: device);
        for (var layer = 0; layer < _keys.Length; layer++)
        {
            _contextKeys[layer] = InPlaceOf(_contextKeys[layer], _contextKeys[layer].index_select(0, kept));
            _contextValues[layer] = InPlaceOf(_contextValues[layer], _contextValues[layer].index_select(0, kept));
        }
    }

    public void Dispose()
    {
        foreach (var held in _keys.Concat(_values).Concat(_contextKeys).Concat(_contextValues)) held?.Dispose();
    }

    private static bool IsAll(long[] numbers, long count)
    {
        if (numbers.Length != count) return false;
        for (var i = 0; i < numbers.Length; i++)
            if (numbers[i] != i) return false;
        return true;
    }

    private static Tensor InPlaceOf(Tensor? held, Tensor next)
    {
        held?.Dispose();
        return next.DetachFromDisposeScope();
    }
}
