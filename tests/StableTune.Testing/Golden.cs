using StableTune.Tensors;

namespace StableTune.Testing;

/// <summary>Golden tensors: a fixture file, its tensors by name, and comparisons that say where the largest difference lies.</summary>
public sealed class Golden : IDisposable
{
    private readonly WeightFile _file;
    private readonly Dictionary<string, Tensor> _loaded = new(StringComparer.Ordinal);

    private Golden(string path) => _file = WeightFile.Open(path);

    /// <summary>Opens a fixture by its path below tests/fixtures.</summary>
    public static Golden Open(params string[] parts) => new(Fixtures.Path(parts));

    /// <summary>Opens any safetensors file.</summary>
    public static Golden OpenFile(string path) => new(path);

    /// <summary>The tensor of this name, loaded once; this object disposes it, no scope does.</summary>
    public Tensor this[string name] =>
        _loaded.TryGetValue(name, out var tensor) ? tensor : _loaded[name] = _file.Load(name).DetachFromDisposeScope();

    /// <summary>The names, in the order of the file.</summary>
    public IReadOnlyList<string> Names => [.. _file.Names];

    /// <summary>The free texts of the header.</summary>
    public IReadOnlyDictionary<string, string> Metadata => _file.Metadata;

    /// <summary>Whether there is a tensor of this name.</summary>
    public bool Contains(string name) => _file.Contains(name);

    /// <summary>Fails unless the tensor has the golden one's shape and every element lies within the tolerance.</summary>
    /// <param name="name">The golden tensor.</param>
    /// <param name="actual">What was computed, of any floating-point or integer type.</param>
    /// <param name="tolerance">The largest allowed difference: absolute, or a part of the golden tensor's largest absolute value.</param>
    /// <param name="relativeToMax">Whether the tolerance is such a part.</param>
    public void AssertClose(string name, Tensor actual, double tolerance, bool relativeToMax = false) =>
        GoldenComparison.AssertClose(name, this[name], actual, tolerance, relativeToMax);

    /// <summary>Fails unless shape and type fit and every element lies within <paramref name="absolute"/> + <paramref name="relative"/> ·
    /// |expected|.</summary>
    public void AssertWithin(string name, Tensor actual, double absolute = 0, double relative = 0)
    {
        Assert.Equal(this[name].shape, actual.shape);
        GoldenComparison.AssertClose(Floats(name), GoldenComparison.Floats(actual), name, absolute, relative);
    }

    /// <summary>The numbers of a float32 tensor.</summary>
    public float[] Floats(string name) => Values<float>(name, ScalarType.Float32);

    /// <summary>The numbers of a float64 tensor.</summary>
    public double[] Doubles(string name) => Values<double>(name, ScalarType.Float64);

    /// <summary>The numbers of a tensor of bytes.</summary>
    public byte[] Bytes(string name) => Values<byte>(name, ScalarType.Byte);

    /// <summary>Fails unless shape and all elements are the same.</summary>
    public void AssertEqual(string name, Tensor actual) => AssertClose(name, actual, 0);

    private T[] Values<T>(string name, ScalarType type) where T : unmanaged
    {
        Assert.Equal(type, this[name].dtype);
        return this[name].data<T>().ToArray();
    }

    public void Dispose()
    {
        foreach (var tensor in _loaded.Values) tensor.Dispose();
        _file.Dispose();
    }
}
