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
        Close.To(u.matmul(s.diag()).matmul(vh), a, Tolerance);
        Close.To(linalg.svdvals(a), s, Tolerance);
        Assert.Equal([4L, 4], linalg.svd(a).U.shape);
    }

    [Fact]
    public void Qr_PutsTheMatrixTogetherAgain()
    {
        using var scope = NewDisposeScope();
        var a = Random(4, 3);
        var (q, r) = linalg.qr(a);
        Assert.Equal([4L, 3], q.shape);
        Close.To(q.matmul(r), a, Tolerance);
        Close.To(r.triu(), r, 0);
        Assert.Equal([4L, 4], linalg.qr(a, linalg.QRMode.Complete).Q.shape);
        Assert.Equal(0, linalg.qr(a, linalg.QRMode.R).Q.numel());
    }

    [Fact]
    public void Norms_ByHand()
    {
        using var scope = NewDisposeScope();
        var a = tensor(new double[] { 3, 0, 0, -4 }).reshape(2, 2);
        Close.To(linalg.norm(a), [5], Tolerance);
        Close.To(linalg.norm(a, [1]), [3, 4], Tolerance);
        Close.To(linalg.vector_norm(a, 1), [7], Tolerance);
        Close.To(linalg.vector_norm(a, double.PositiveInfinity), [4], Tolerance);
        Assert.Equal([2L, 1], linalg.vector_norm(a, dims: [1], keepdim: true).shape);
        Close.To(linalg.matrix_norm(a), [5], Tolerance);
        Close.To(linalg.matrix_norm(a, "nuc"), [7], Tolerance);
        Close.To(linalg.matrix_norm(a, 2), [4], Tolerance);
        Close.To(linalg.matrix_norm(a, -2), [3], Tolerance);
    }

    [Fact]
    public void InverseAndSolve_UndoAProduct()
    {
        using var scope = NewDisposeScope();
        var (a, x) = (Random(3, 3) + eye(3, dtype: ScalarType.Float64) * 4, Random(3, 2));
        Close.To(linalg.solve(a, a.matmul(x)), x, Tolerance);
        Close.To(linalg.solve(a, x.t().matmul(a), left: false), x.t(), Tolerance);
        Close.To(linalg.inv(a).matmul(a), eye(3, dtype: ScalarType.Float64), Tolerance);
        Assert.Throws<TorchException>(() => linalg.inv(zeros([2, 2], ScalarType.Float64)));
    }

    [Fact]
    public void SymmetricMatrices_ByTheirFactors()
    {
        using var scope = NewDisposeScope();
        var root = Random(3, 3);
        var a = root.matmul(root.t()) + eye(3, dtype: ScalarType.Float64);
        var (values, vectors) = linalg.eigh(a);
        Close.To(vectors.matmul(values.diag()).matmul(vectors.t()), a, Tolerance);
        Close.To(linalg.eigh(a, 'U').values, values, Tolerance);
        Close.To(linalg.det(a), values.prod(), 1e-10);
        var lower = linalg.cholesky(a);
        Close.To(lower.matmul(lower.t()), a, Tolerance);
        Close.To(lower.tril(), lower, 0);
        Assert.Throws<TorchException>(() => linalg.cholesky(-a));
    }
}
