namespace StableTune.Tensors;

/// <summary>
/// Which samples of a batch one device has, where several devices or processes share the batch of a step. What is drawn at random for the
/// samples is drawn for the whole batch everywhere and cut, so that the numbers are those of a single device.
/// </summary>
/// <param name="First">The place of the first sample in the whole batch.</param>
/// <param name="Count">The samples that are here.</param>
/// <param name="Total">The samples of the whole batch.</param>
public readonly record struct BatchShare(int First, int Count, int Total)
{
    /// <summary>Whether another device counts these samples: a device for which a short batch has none repeats one with weight 0.</summary>
    public bool IsSpare { get; init; }

    /// <summary>Whether all samples are here.</summary>
    public bool IsWhole => Count == Total;

    /// <summary>What the mean over these samples counts in the mean over the whole batch: 0 to 1.</summary>
    public double Weight => IsSpare ? 0 : (double)Count / Total;

    /// <summary>One of several equal shares of this share; they differ by one sample at most.</summary>
    /// <param name="place">Which, from 0.</param>
    /// <param name="parts">How many there are.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such part.</exception>
    public BatchShare Part(int place, int parts)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(place);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(place, parts);
        var (from, to) = ((int)((long)Count * place / parts), (int)((long)Count * (place + 1) / parts));
        return from < to ? this with { First = First + from, Count = to - from }
            : this with { First = First + Math.Min(from, Count - 1), Count = 1, IsSpare = true };
    }

    /// <summary>The share of what was made for the whole batch.</summary>
    /// <param name="whole">[Total · n, ...], where each sample has n rows.</param>
    /// <returns>[Count · n, ...], a view in the current dispose scope.</returns>
    public Tensor Cut(Tensor whole)
    {
        ArgumentNullException.ThrowIfNull(whole);
        if (IsWhole) return whole.alias();
        var rows = whole.shape[0] / Total;
        return whole.narrow(0, First * rows, Count * rows);
    }

    /// <summary>The whole batch as far as it is known here: the share at its place, and zeros elsewhere.</summary>
    /// <param name="part">[Count, ...].</param>
    /// <returns>[Total, ...], in the current dispose scope.</returns>
    public Tensor Within(Tensor part)
    {
        ArgumentNullException.ThrowIfNull(part);
        if (IsWhole) return part.alias();
        using var scope = NewDisposeScope();
        var whole = zeros([Total, .. part.shape[1..]], part.dtype, part.device);
        whole.narrow(0, First, Count).copy_(part);
        return whole.MoveToOuterDisposeScope();
    }
}
