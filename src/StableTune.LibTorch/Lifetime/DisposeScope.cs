using static StableTune.LibTorch.torch;

namespace StableTune.LibTorch;

/// <summary>
/// Disposes every tensor that its thread creates while it is the innermost scope, except those moved out or detached.
/// Scopes belong to the thread that opened them and close in reverse order; nothing may be awaited while one is open.
/// </summary>
public sealed class DisposeScope : IDisposable
{
    [ThreadStatic] private static DisposeScope? s_current;

    private readonly int _thread = Environment.CurrentManagedThreadId;
    private Tensor? _first;   // the tensors form a list through fields of their own, so that joining allocates nothing
    private bool _closed;

    private DisposeScope(DisposeScope? outer) => OuterScope = outer;

    /// <summary>The scope in which this one was opened, or null.</summary>
    public DisposeScope? OuterScope { get; private set; }

    /// <summary>How many tensors the scope would dispose now.</summary>
    public int DisposablesCount { get; private set; }

    /// <summary>The innermost open scope of this thread, or null.</summary>
    internal static DisposeScope? Current
    {
        get
        {
            var scope = s_current;
            if (scope is null || !scope._closed) return scope;
            while (scope is { _closed: true }) scope = scope.OuterScope;   // closed by another thread
            return s_current = scope;
        }
    }

    internal static DisposeScope Open() => s_current = new DisposeScope(Current);

    /// <summary>True on the thread that owns the list of tensors.</summary>
    private bool IsMine => _thread == Environment.CurrentManagedThreadId;

    /// <summary>Takes a tensor in, from whichever scope holds it now.</summary>
    /// <returns>The same tensor.</returns>
    /// <exception cref="InvalidOperationException">This scope, or the one that holds the tensor, belongs to another thread.</exception>
    public T Include<T>(T tensor) where T : Tensor
    {
        ArgumentNullException.ThrowIfNull(tensor);
        ObjectDisposedException.ThrowIf(_closed, this);
        if (tensor.Scope != this)
        {
            CheckMine();
            tensor.Scope?.CheckMine();
            tensor.Scope?.Remove(tensor);
            Add(tensor);
        }
        return tensor;
    }

    /// <summary>Hands a tensor of this scope to the outer one; without an outer one the caller must dispose it.</summary>
    /// <returns>The same tensor.</returns>
    /// <exception cref="InvalidOperationException">The tensor is in this scope, which belongs to another thread.</exception>
    public T MoveToOuter<T>(T tensor) where T : Tensor
    {
        ArgumentNullException.ThrowIfNull(tensor);
        if (tensor.Scope != this) return tensor;
        CheckMine();
        Remove(tensor);
        OuterScope?.Add(tensor);
        return tensor;
    }

    /// <summary>Hands tensors of this scope to the outer one.</summary>
    /// <exception cref="InvalidOperationException">A tensor is in this scope, which belongs to another thread.</exception>
    public void MoveToOuter(params Tensor[] tensors)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        foreach (var tensor in tensors) MoveToOuter<Tensor>(tensor);
    }

    /// <summary>Lets a tensor go: from now on the caller must dispose it.</summary>
    /// <returns>The same tensor.</returns>
    /// <exception cref="InvalidOperationException">The tensor is in this scope, which belongs to another thread.</exception>
    public T Detach<T>(T tensor) where T : Tensor
    {
        ArgumentNullException.ThrowIfNull(tensor);
        if (tensor.Scope != this) return tensor;
        CheckMine();
        Remove(tensor);
        return tensor;
    }

    /// <summary>Disposes the tensors of the scope now; the scope stays open.</summary>
    public void DisposeEverything()
    {
        // Each is unlinked here and not by Remove, which does nothing on a foreign thread: closing a scope there must end, too.
        while (_first is { } tensor)
        {
            _first = tensor.NextInScope;
            if (_first is not null) _first.PreviousInScope = null;
            tensor.Scope = null;
            tensor.PreviousInScope = tensor.NextInScope = null;
            DisposablesCount--;
            tensor.Dispose();
        }
    }

    /// <summary>Closes the scope and disposes its tensors.</summary>
    public void Dispose()
    {
        if (_closed) return;
        DisposeEverything();
        _closed = true;
        if (s_current == this) s_current = OuterScope;
    }

    /// <summary>A scope's list is not locked: tensors change scopes only on the thread that owns the list.</summary>
    private void CheckMine()
    {
        if (!IsMine && !_closed)
            throw new InvalidOperationException("This tensor is held by a dispose scope of another thread. "
                + "Call DetachFromDisposeScope() on the thread that created it, before handing it over.");
    }

    internal void Add(Tensor tensor)
    {
        tensor.Scope = this;
        tensor.PreviousInScope = null;
        tensor.NextInScope = _first;
        if (_first is not null) _first.PreviousInScope = tensor;
        _first = tensor;
        DisposablesCount++;
    }

    /// <summary>
    /// Takes a tensor off the list. On a foreign thread the list must not be touched: a disposed tensor then stays on it, which is
    /// harmless, because disposing twice does nothing.
    /// </summary>
    internal void Remove(Tensor tensor)
    {
        if (!IsMine) return;
        if (tensor.PreviousInScope is { } previous) previous.NextInScope = tensor.NextInScope;
        else _first = tensor.NextInScope;
        if (tensor.NextInScope is { } next) next.PreviousInScope = tensor.PreviousInScope;
        tensor.Scope = null;
        tensor.PreviousInScope = tensor.NextInScope = null;
        DisposablesCount--;
    }
}
