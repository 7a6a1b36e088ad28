using StableTune.Training;

namespace StableTune.Optimizers;

/// <summary>
/// Rounds float32 to bfloat16 up or down at random: a number that lies a quarter of the way between two neighbours becomes the upper one in
/// a quarter of all cases, so that the mean is the number. Draws from streams of its own, one for each device.
/// </summary>
/// <remarks>Gupta et al., Deep Learning with Limited Numerical Precision, arXiv:1502.02551. bfloat16 is the upper half of float32: random
/// bits are added to the lower half, and it is cut off.</remarks>
internal sealed class StochasticRounding : IDisposable
{
    /// <summary>The streams begin here: what the bits are matters to no one, only that they are the same in a run that goes on.</summary>
    private const ulong Seed = 0x5EED;

    private const string StateName = "rounding";

    private static readonly Operator ViewAs = new("aten::view", "dtype");

    private readonly Dictionary<string, Generator> _streams = new(StringComparer.Ordinal);

    /// <summary>The numbers rounded to bfloat16.</summary>
    /// <param name="values">[n], float32; unchanged.</param>
    /// <returns>[n], float32, each exactly a number of bfloat16; numbers that are so already stay as they are.</returns>
    public Tensor Apply(Tensor values)
    {
        using var scope = NewDisposeScope();
        var bits = ViewAs.Call(values, (long)ScalarType.Int32);
        var random = empty_like(bits).random_(0, 1 << 16, Stream(values.device));
        var upper = random.add_(bits).bitwise_and_(tensor(unchecked((int)0xFFFF0000), device: values.device));
        return ViewAs.Call(upper, (long)ScalarType.Float32).MoveToOuterDisposeScope();
    }

    public void Save(StateWriter writer)
    {
        foreach (var (device, stream) in _streams.OrderBy(stream => stream.Key, StringComparer.Ordinal))
            writer.Tensor($"{StateName}.{device}", stream.get_state());
    }

    /// <summary>Goes on with the streams of a state; one of a device that the run was not on before begins anew.</summary>
    public void Load(StateReader reader)
    {
        using var scope = NewDisposeScope();
        foreach (var name in reader.TensorNames.Where(name => name.StartsWith(StateName + ".", StringComparison.Ordinal)))
            if (CanBeOn(name[(StateName.Length + 1)..]) is { } there) Stream(there).set_state(reader.Tensor(name));
    }

    public void Dispose()
    {
        foreach (var stream in _streams.Values) stream.Dispose();
        _streams.Clear();
    }

    private Generator Stream(Device there)
    {
        if (_streams.TryGetValue(there.ToString(), out var stream)) return stream;
        return _streams[there.ToString()] = new Generator(Seed, there);
    }

    private static Device? CanBeOn(string name)
    {
        var there = device(name);
        return NativeBackend.HasDevice(there, out _) ? there : null;
    }
}
