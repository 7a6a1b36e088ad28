using System.Runtime.InteropServices;
using StableTune.Formats;
using StableTune.Testing;

namespace StableTune.Diffusion.Tests;

/// <summary>A safetensors fixture: its tensors as tensors or numbers, and comparisons that show the largest difference.</summary>
internal sealed class Golden : IDisposable
{
    private readonly SafetensorsFile _file;

    internal Golden(params string[] path) => _file = SafetensorsFile.Open(Fixtures.Path(path));

    internal IEnumerable<string> Names => _file.Tensors.Select(tensor => tensor.Name);

    internal bool Has(string name) => _file.TryGet(name, out _);

    internal float[] Floats(string name) => MemoryMarshal.Cast<byte, float>(Span(name, TensorDType.F32)).ToArray();

    internal double[] Doubles(string name) => MemoryMarshal.Cast<byte, double>(Span(name, TensorDType.F64)).ToArray();

    internal byte[] Bytes(string name) => Span(name, TensorDType.U8).ToArray();

    internal Tensor Tensor(string name) => tensor(Floats(name), [.. _file[name].Shape], dtype: ScalarType.Float32);

    internal Tensor Longs(string name) =>
        tensor(MemoryMarshal.Cast<byte, long>(Span(name, TensorDType.I64)).ToArray(), [.. _file[name].Shape], dtype: ScalarType.Int64);

    /// <summary>Every element agrees within <paramref name="absolute"/> + <paramref name="relative"/> · |expected|; NaN agrees with nothing.</summary>
    internal static void AssertClose(IReadOnlyList<float> expected, IReadOnlyList<float> actual, string what, double absolute = 0, double relative = 0)
    {
        Assert.True(expected.Count == actual.Count, $"{what}: {actual.Count} values, expected {expected.Count}");
        var (worst, excess) = (-1, double.NegativeInfinity);
        for (var i = 0; i < expected.Count; i++)
        {
            var difference = Math.Abs((double)expected[i] - actual[i]) - absolute - relative * Math.Abs((double)expected[i]);
            if (double.IsNaN(difference)) difference = double.PositiveInfinity;
            if (difference > excess) (worst, excess) = (i, difference);
        }
        Assert.True(excess <= 0, worst < 0 ? what : $"{what}: at {worst} expected {expected[worst]:R}, got {actual[worst]:R}");
    }

    internal void AssertClose(string name, Tensor actual, double absolute = 0, double relative = 0)
    {
        Assert.Equal(_file[name].Shape, actual.shape);
        AssertClose(Floats(name), Values(actual), name, absolute, relative);
    }

    /// <summary>Every element agrees within a share of the largest absolute value expected.</summary>
    internal static void AssertCloseToLargest(float[] expected, float[] actual, string what, double share) =>
        AssertClose(expected, actual, what, absolute: share * expected.Max(Math.Abs));

    internal static float[] Values(Tensor tensor)
    {
        using var scope = NewDisposeScope();
        return tensor.detach().to(ScalarType.Float32).contiguous().data<float>().ToArray();
    }

    public void Dispose() => _file.Dispose();

    private ReadOnlySpan<byte> Span(string name, TensorDType type)
    {
        Assert.Equal(type, _file[name].DType);
        return _file.Span(name);
    }
}
