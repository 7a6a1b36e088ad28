namespace StableTune.Samplers;

/// <summary>
/// Tensors that outlive the step that made them, such as the predictions of earlier steps. They belong to the history: scopes do not free
/// them, the history does, when newer ones take their place and when it is disposed.
/// </summary>
public sealed class TensorHistory : IDisposable
{
    private readonly List<Tensor> _tensors = [];   // the newest first

    /// <summary>How many tensors there are.</summary>
    public int Count => _tensors.Count;

    /// <summary>The tensor that was added so many times ago.</summary>
    /// <param name="back">0 for the newest, up to <see cref="Count"/> - 1.</param>
    /// <returns>A tensor that stays the history's: not to be disposed.</returns>
    /// <exception cref="ArgumentOutOfRangeException">There are not so many.</exception>
    public Tensor this[int back] => _tensors[back];

    /// <summary>Adds a tensor and frees the oldest ones.</summary>
    /// <param name="tensor">Any tensor. It stays the caller's; the history holds the same numbers under a handle of its own.</param>
    /// <param name="keep">How many tensors stay, this one included; at least 1.</param>
    public void Add(Tensor tensor, int keep)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        ArgumentOutOfRangeException.ThrowIfLessThan(keep, 1);
        _tensors.Insert(0, tensor.alias().DetachFromDisposeScope());
        while (_tensors.Count > keep)
        {
            _tensors[^1].Dispose();
            _tensors.RemoveAt(_tensors.Count - 1);
        }
    }

    /// <summary>Frees all tensors; the history is empty then.</summary>
    public void Dispose()
    {
        foreach (var tensor in _tensors) tensor.Dispose();
        _tensors.Clear();
    }
}
