namespace StableTune.LibTorch.Tests;

public sealed class LinalgTests
{
    private const double Tolerance = 1e-12;   // float64, small well-conditioned matrices

    private static Tensor Random(params long[] shape)
    {
        using var generator = new Generator(17);
        return randn(shape, ScalarType.Float64, generator: generator);
    }

    [Fact]
    public void Svd_PutsTheMatrixTogetherAgain()
    {
        using var scope = NewDisposeScope();
        var a = Random(4, 3);
        var (u, s, vh) = linalg.svd(a, fullMatrices: false);
        TensorAssert.Close(a, u.matmul(s.diag()).matmul(vh), Tolerance);
        TensorAssert.Close(s, linalg.svdvals(a), Tolerance);
        Assert.Equal([4L, 4], linalg.svd(a).U.shape);
    }

    [Fact]
    public void Qr_PutsTheMatrixTogetherAgain()
    {
        using var scope = NewDisposeScope();
        var a = Random(4, 3);
        var (q, r) = linalg.qr(a);
        Assert.Equal([4L, 3], q.shape);
        TensorAssert.Close(a, q.matmul(r), Tolerance);
        TensorAssert.Close(r, r.triu(), 0);
        Assert.Equal([4L, 4], linalg.qr(a, linalg.QRMode.Complete).Q.shape);
        Assert.Equal(0, linalg.qr(a, linalg.QRMode.R).Q.numel());
    }

    [Fact]
    public void Norms_ByHand()
    {
        using var scope = NewDisposeScope();
        var a = tensor(new double[] { 3, 0, 0, -4 }).reshape(2, 2);
        TensorAssert.Close([5], linalg.norm(a), Tolerance);
        TensorAssert.Close([3, 4], linalg.norm(a, [1]), Tolerance);
        TensorAssert.Close([7], linalg.vector_norm(a, 1), Tolerance);
        TensorAssert.Close([4], linalg.vector_norm(a, double.PositiveInfinity), Tolerance);
        Assert.Equal([2L, 1], linalg.vector_norm(a, dims: [1], keepdim: true).shape);
        TensorAssert.Close([5], linalg.matrix_norm(a), Tolerance);
        TensorAssert.Close([7], linalg.matrix_norm(a, "nuc"), Tolerance);
        TensorAssert.Close([4], linalg.matrix_norm(a, 2), Tolerance);
        TensorAssert.Close([3], linalg.matrix_norm(a, -2), Tolerance);
    }

    [Fact]
    public void InverseAndSolve_UndoAProduct()
    {
        using var scope = NewDisposeScope();
        var (a, x) = (Random(3, 3) + eye(3, dtype: ScalarType.Float64) * 4, Random(3, 2));
        TensorAssert.Close(x, linalg.solve(a, a.matmul(x)), Tolerance);
        TensorAssert.Close(x.t(), linalg.solve(a, x.t().matmul(a), left: false), Tolerance);
        TensorAssert.Close(eye(3, dtype: ScalarType.Float64), linalg.inv(a).matmul(a), Tolerance);
        Assert.Throws<TorchException>(() => linalg.inv(zeros([2, 2], ScalarType.Float64)));
    }

    [Fact]
    public void SymmetricMatrices_ByTheirFactors()
    {
        using var scope = NewDisposeScope();
        var root = Random(3, 3);
        var a = root.matmul(root.t()) + eye(3, dtype: ScalarType.Float64);
        var (values, vectors) = linalg.eigh(a);
        TensorAssert.Close(a, vectors.matmul(values.diag()).matmul(vectors.t()), Tolerance);
        TensorAssert.Close(values, linalg.eigh(a, 'U').values, Tolerance);
        TensorAssert.Close(values.prod(), linalg.det(a), 1e-10);
        var lower = linalg.cholesky(a);
        TensorAssert.Close(a, lower.matmul(lower.t()), Tolerance);
        TensorAssert.Close(lower, lower.tril(), 0);
        Assert.Throws<TorchException>(() => linalg.cholesky(-a));
    }
}
