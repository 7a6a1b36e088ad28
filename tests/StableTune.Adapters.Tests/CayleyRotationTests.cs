namespace StableTune.Adapters.Tests;

/// <summary>Rotations, made as matrices or applied without being made.</summary>
public class CayleyRotationTests
{
    [Fact]
    public void Change_PlusIdentity_IsOrthogonal()
    {
        using var scope = NewDisposeScope();
        var rotation = CayleyRotation.Change(Skew(3, 6)) + eye(6, dtype: float64);
        AssertClose(eye(6, dtype: float64).expand(3, 6, 6), rotation.transpose(-1, -2).matmul(rotation), 1e-12);
        var skew = Skew(3, 6);
        var expected = (eye(6, dtype: float64) + skew).matmul(linalg.inv(eye(6, dtype: float64) - skew)) - eye(6, dtype: float64);
        AssertClose(expected, CayleyRotation.Change(skew), 1e-12);
    }

    [Theory]
    [InlineData(1, 4, 6, 3)]           // fewer columns than the matrix has
    [InlineData(2, 4, 6, 5)]           // more
    [InlineData(2, 2, 300, 7)]         // so large that blocks are solved one by one
    [InlineData(1, 2, 300, 400)]
    [InlineData(2, 1, 6, 1)]
    public void Turn_IsTheTransposedChange_AppliedToRows(long batch, long blocks, long size, long positions)
    {
        using var scope = NewDisposeScope();
        var (half, rows) = (Skew(blocks, size).requires_grad_(), randn([batch, blocks, size, positions], float64).requires_grad_());
        var skew = half - half.transpose(-1, -2);                   // the two ways differ outside of skew matrices
        var expected = CayleyRotation.Change(skew).transpose(-1, -2).matmul(rows);
        var weights = randn_like(expected).detach();
        var gradients = autograd.grad([(expected * weights).sum()], [half, rows]);
        var turned = CayleyRotation.Turn(skew, rows);
        AssertClose(expected, turned, 1e-10);
        var actual = autograd.grad([(turned * weights).sum()], [half, rows]);
        for (var k = 0; k < 2; k++) AssertClose(gradients[k], actual[k], 1e-9);
        Assert.Equal(ScalarType.BFloat16, CayleyRotation.Turn(skew.to(float32), rows.to(ScalarType.BFloat16)).dtype);
    }

    [Fact]
    public void Change_OfASmallRotation_KeepsItsDigits()
    {
        using var scope = NewDisposeScope();
        var skew = (Skew(2, 8) * 1e-6).to(float32);
        AssertClose(CayleyRotation.Change(skew.to(float64)), CayleyRotation.Change(skew).to(float64), 1e-12);
    }

    private static Tensor Skew(long blocks, long size)
    {
        var q = randn([blocks, size, size], float64) / size;
        return (q - q.transpose(-1, -2)).detach();
    }

    private static void AssertClose(Tensor expected, Tensor actual, double tolerance)
    {
        Assert.Equal(expected.shape, actual.shape);
        Assert.True(expected.allclose(actual, 0, tolerance), $"off by {(expected - actual).abs().max().item<double>()}");
    }
}
