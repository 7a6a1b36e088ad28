namespace StableTune.LibTorch.Tests;

public sealed class LinearAlgebraTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly Tensor _a = tensor(new[] { 1.0, 2.0, 3.0, 4.0 }, [2, 2]);
    private readonly Tensor _b = tensor(new[] { 5.0, 6.0, 7.0, 8.0, 9.0, 10.0 }, [2, 3]);

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Products_OfMatricesAndVectors()
    {
        Close.To(_a.matmul(_b), [21, 24, 27, 47, 54, 61]);
        Close.To(_a.mm(_b), [21, 24, 27, 47, 54, 61]);
        Close.To(_a.mv(tensor(new[] { 1.0, -1.0 })), [-1, -1]);
        Assert.Equal(11, tensor(new[] { 1.0, 2.0 }).dot(tensor(new[] { 3.0, 4.0 })).ToDouble());
        Close.To(tensor(new[] { 1.0, 2.0 }).outer(tensor(new[] { 3.0, 4.0 })), [3, 4, 6, 8]);
        Close.To(_a.kron(tensor(new[] { 1.0, 10.0 }, [1, 2])), [1, 10, 2, 20, 3, 30, 4, 40]);
    }

    [Fact]
    public void Batches_OfProducts()
    {
        var batch = stack([_a, _a * 2]);
        var right = stack([_b, _b]);
        var product = batch.bmm(right);
        Assert.Equal([2, 2, 3], product.shape);
        Close.To(product[1], _a.mm(_b) * 2);
        Close.To(batch.matmul(_b), product);
    }

    [Fact]
    public void AddedProducts_EqualTheirDefinition()
    {
        var c = ones(2, 3, float64);
        Close.To(c.addmm(_a, _b), c + _a.mm(_b));
        Close.To(c.addmm(_a, _b, beta: 2, alpha: 0.5), 2 * c + 0.5 * _a.mm(_b));
        var batch = stack([_a, _a]);
        var right = stack([_b, _b]);
        Close.To(zeros(2, 2, 3, float64).baddbmm(batch, right, 1, 3), 3 * batch.bmm(right));
    }

    [Fact]
    public void Einsum_EqualsTheProductsItSpells()
    {
        Close.To(einsum("ij,jk->ik", _a, _b), _a.mm(_b));
        Close.To(einsum("ij->ji", _a), _a.t());
        Close.To(einsum("ii->", _a), [5]);
        Close.To(einsum("i,j->ij", _a[0], _b[0]), _a[0].outer(_b[0]));
    }

    [Fact]
    public void Square_MatrixFunctions()
    {
        Assert.Equal(-2, _a.det().ToDouble(), 1e-12);
        Assert.Equal(5, _a.trace().ToDouble());
        Close.To(_a.inverse().mm(_a), eye(2, dtype: float64), 1e-12);
        Close.To(tensor(new[] { 1.0, 0.0, 0.0 }).cross(tensor(new[] { 0.0, 1.0, 0.0 }), 0), [0, 0, 1]);
    }

    [Fact]
    public void Gradients_MatchDifferences()
    {
        GradientCheck.Of(t => t[0].matmul(t[1]), _a, _b);
        GradientCheck.Of(t => t[2].addmm(t[0], t[1], 0.5, 2), _a, _b, ones(2, 3));
        GradientCheck.Of(t => einsum("bij,bjk->bik", t[0], t[1]), stack([_a, _a]), stack([_b, _b]));
        GradientCheck.Of(t => t[0].kron(t[1]), _a, _b);
        GradientCheck.Of(t => t[0].inverse(), _a);
    }

    [Fact]
    public void Matmul_OfShapesThatDoNotFit_NamesOperatorAndShapes()
    {
        var error = Assert.Throws<TorchException>(() => _b.matmul(_a));
        Assert.Equal("aten::matmul", error.Operation);
        Assert.Contains("aten::matmul failed for (Float64 [2, 3], Float64 [2, 2])", error.Message);
        Assert.Contains("cannot be multiplied", error.Message);
    }
}
