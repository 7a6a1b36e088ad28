using System.Collections.Immutable;

namespace StableTune.Torch;

/// <summary>The functions around one layer: the last that was added is outermost. They come and go in any order.</summary>
internal sealed class WrapStack
{
    // Replaced, never changed: a call that is under way ends with the functions that it began with.
    private ImmutableArray<Entry> _entries = [];

    internal bool IsEmpty => _entries.IsEmpty;

    /// <summary>Adds a function as the outermost; disposing takes it off again.</summary>
    internal IDisposable Add(Func<Tensor, Func<Tensor, Tensor>, Tensor> wrapper)
    {
        ArgumentNullException.ThrowIfNull(wrapper);
        var entry = new Entry(this, wrapper);
        ImmutableInterlocked.Update(ref _entries, entries => entries.Add(entry));
        return entry;
    }

    /// <summary>Computes through all functions; the innermost one has <paramref name="compute"/> as its original.</summary>
    internal Tensor Run(Tensor input, Func<Tensor, Tensor> compute)
    {
        var original = compute;
        foreach (var entry in _entries)
        {
            var (wrapper, below) = (entry.Wrapper, original);
            original = x => wrapper(x, below);
        }

        return original(input);
    }

    /// <summary>A class, not a record: the same function may be added twice, and each is taken off by itself.</summary>
    private sealed class Entry(WrapStack stack, Func<Tensor, Func<Tensor, Tensor>, Tensor> wrapper) : IDisposable
    {
        internal Func<Tensor, Func<Tensor, Tensor>, Tensor> Wrapper => wrapper;

        public void Dispose() => ImmutableInterlocked.Update(ref stack._entries, entries => entries.Remove(this));
    }
}
