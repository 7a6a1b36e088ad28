using BenchmarkDotNet.Attributes;

namespace StableTune.Benchmarks;

/// <summary>What one call of a small operator costs from C#: the tensors are so small that the kernel hardly counts.</summary>
[MemoryDiagnoser]
public class OperatorBenchmarks
{
    private static readonly Operator Multiply = new("aten::mul", "Tensor");

    private Tensor _a = null!, _b = null!, _matrix = null!;

    [GlobalSetup]
    public void SetUp()
    {
        NativeBackend.Load();
        (_a, _b, _matrix) = (randn(4), randn(4), randn(4, 4));
    }

    [GlobalCleanup]
    public void CleanUp()
    {
        _a.Dispose();
        _b.Dispose();
        _matrix.Dispose();
    }

    [Benchmark(Baseline = true, Description = "a.add(b), disposed")]
    public void Add()
    {
        using var sum = _a.add(_b);
    }

    [Benchmark(Description = "a.add_(b)")]
    public void AddInPlace() => _a.add_(_b);

    [Benchmark(Description = "mul by its name, disposed")]
    public void ByName()
    {
        using var product = Multiply.Call(_a, _b);
    }

    [Benchmark(Description = "a * 0.5, disposed")]
    public void MultiplyByNumber()
    {
        using var product = _a * 0.5;
    }

    [Benchmark(Description = "view(2, 2), disposed")]
    public void View()
    {
        using var view = _a.view(2, 2);
    }

    [Benchmark(Description = "three operators in a scope")]
    public void Scope()
    {
        using var scope = NewDisposeScope();
        _ = (_a + _b) * _a - _b;
    }

    [Benchmark(Description = "m.matmul(m), disposed")]
    public void Matmul()
    {
        using var product = _matrix.matmul(_matrix);
    }

    [Benchmark(Description = "size(0)")]
    public long Size() => _a.size(0);
}
