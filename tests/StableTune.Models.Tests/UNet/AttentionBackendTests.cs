using StableTune.Testing;

namespace StableTune.Models.Tests;

/// <summary>All forms of attention give the same values and gradients.</summary>
public sealed class AttentionBackendTests
{
    private const double Tolerance = 1e-5;

    public static TheoryData<string> Forms() => ["automatic", "fused", "chunked", "heads", "rows"];

    [Theory]
    [MemberData(nameof(Forms))]
    public void Attend_AnyForm_AgreesWithThePlainOne(string name)
    {
        using var scope = NewDisposeScope();
        var form = Form(name);
        foreach (var (expected, actual) in Run(AttentionBackend.Plain, ScalarType.Float32, upcast: false)
            .Zip(Run(form, ScalarType.Float32, upcast: false)))
            GoldenComparison.AssertClose(name, expected, actual, Tolerance);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]   // raises half precision only: float64 stays what it is
    public void Attend_Plain_IsTheDefinition(bool upcast)
    {
        using var scope = NewDisposeScope();
        var (q, k, v) = Inputs(ScalarType.Float64);
        var expected = zeros(q.shape, dtype: ScalarType.Float64);
        for (var g = 0; g < q.size(0); g++)
        {
            for (var n = 0; n < q.size(1); n++)
            {
                var weights = Enumerable.Range(0, (int)k.size(1)).Select(m => Math.Exp((q[g, n] * k[g, m]).sum().ToDouble() * 0.3))
                    .ToArray();
                for (var m = 0; m < k.size(1); m++) expected[g, n].add_(v[g, m] * (weights[m] / weights.Sum()));
            }
        }

        GoldenComparison.AssertClose("definition", expected, AttentionBackend.Plain.Attend(q, k, v, 0.3, upcast), 1e-12);
    }

    [Fact]
    public void Attend_InHalfPrecision_KeepsTheDtypeAndIsClose()
    {
        using var scope = NewDisposeScope();
        var exact = Run(AttentionBackend.Plain, ScalarType.Float32, upcast: false);
        foreach (var upcast in new[] { false, true })
        {
            foreach (var name in new[] { "automatic", "rows" })
            {
                var half = Run(Form(name), ScalarType.BFloat16, upcast);
                Assert.All(half, tensor => Assert.Equal(ScalarType.BFloat16, tensor.dtype));
                // Three significant digits are all that bfloat16 has: 8 bits.
                foreach (var (expected, actual) in exact.Zip(half))
                    GoldenComparison.AssertClose(name, expected, actual, 0.03 * expected.abs().max().ToDouble());
            }
        }
    }

    private static AttentionBackend Form(string name) => name switch
    {
        "fused" => AttentionBackend.Fused,
        "chunked" => AttentionBackend.Chunked,
        "heads" => new ChunkedAttention(2 * 9 * 11),   // two of five groups at once, the last chunk smaller
        "rows" => new ChunkedAttention(2 * 11),        // two of nine queries of one group at once
        _ => AttentionBackend.Automatic,
    };

    private static (Tensor Query, Tensor Key, Tensor Value) Inputs(ScalarType dtype)
    {
        using var generator = new Generator(7);
        Tensor Draw(params long[] shape) => randn(shape, generator: generator).to(dtype);
        return (Draw(5, 9, 8), Draw(5, 11, 8), Draw(5, 11, 8));
    }

    // The result and the three gradients.
    private static Tensor[] Run(AttentionBackend form, ScalarType dtype, bool upcast)
    {
        var (q, k, v) = Inputs(dtype);
        foreach (var input in new[] { q, k, v }) input.requires_grad_();
        var result = form.Attend(q, k, v, 1 / Math.Sqrt(8), upcast);
        (result * linspace(-1, 1, result.numel(), dtype: dtype).view(result.shape)).sum().backward();
        return [result.detach(), q.grad!, k.grad!, v.grad!];
    }
}
