namespace StableTune.Training;

/// <summary>The base of process groups that exchange numbers in host memory: those of GPUs are copied there and back.</summary>
internal abstract class HostProcessGroup : IProcessGroup
{
    public abstract int Rank { get; }

    public abstract int Count { get; }

    public abstract long BytesSent { get; }

    public abstract string NameOf(int rank);

    public virtual CancellationToken Ended => CancellationToken.None;

    /// <summary>Refuses numbers that no group can add up.</summary>
    /// <exception cref="ArgumentException">They are of another type, or not contiguous.</exception>
    public static void ThrowIfUnfit(Tensor values)
    {
        ArgumentNullException.ThrowIfNull(values);
        if (values.dtype is not (ScalarType.Float32 or ScalarType.Float64) || !values.is_contiguous())
            throw new ArgumentException(
                $"The numbers are {values.dtype}, contiguous: {values.is_contiguous()}. Give contiguous float32 or float64.",
                nameof(values));
    }

    public void Sum(Tensor values)
    {
        ThrowIfUnfit(values);
        if (Count == 1 || values.numel() == 0) return;
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        var host = values.device_type == DeviceType.CPU ? values : values.cpu();
        SumOnHost(host);
        if (!ReferenceEquals(host, values)) values.copy_(host);
    }

    /// <summary>The same in host memory.</summary>
    protected abstract void SumOnHost(Tensor values);

    public abstract IReadOnlyList<byte[]> Gather(byte[] mine);

    public abstract void Fail(string reason);

    public abstract void Dispose();
}
