namespace StableTune.Adapters.Tests;

/// <summary>Norms of a weight with a product of two factors added, without adding it.</summary>
public class LowRankProductTests
{
    [Theory]
    [InlineData(true, 0)]
    [InlineData(false, 0)]
    [InlineData(true, 3)]
    [InlineData(false, 3)]
    public void NormsOfSum_AndTheirGradients_AreThoseOfTheSum(bool outputs, int kernel)
    {
        long[] shape = kernel == 0 ? [5, 7] : [5, 4, kernel, kernel];
        using var scope = NewDisposeScope();
        var (weight, up, down) = (randn(shape, float64), randn([shape[0], 2], float64).requires_grad_(),
            randn([2, shape[1..].Aggregate(1L, (all, size) => all * size)], float64).requires_grad_());
        var axis = outputs ? DecomposedAxis.Outputs : DecomposedAxis.Inputs;
        var others = Enumerable.Range(0, shape.Length).Where(d => d != (outputs ? 0 : 1)).Select(d => (long)d).ToArray();
        var expected = linalg.vector_norm(weight + up.mm(down).reshape(shape), 2, others, keepdim: true);
        var actual = new LowRankProduct(up, down).NormsOfSum(weight, axis);
        Assert.Equal(expected.shape, actual.shape);
        Assert.True(expected.allclose(actual, 1e-10, 1e-12));
        var weights = randn_like(expected).detach();
        var (one, other) = (autograd.grad([(expected * weights).sum()], [up, down]), autograd.grad([(actual * weights).sum()], [up, down]));
        for (var k = 0; k < 2; k++) Assert.True(one[k].allclose(other[k], 1e-9, 1e-10));
    }

    [Fact]
    public void NormsOfSum_OfZeros_HaveNoGradient()
    {
        using var scope = NewDisposeScope();
        var up = zeros(3, 1).requires_grad_();
        var norms = new LowRankProduct(up, rand(1, 4)).NormsOfSum(zeros(3, 4), DecomposedAxis.Outputs);
        Assert.Equal(0, norms.sum().item<float>(), 1e-6);
        Assert.True(autograd.grad([norms.sum()], [up])[0].isfinite().all().item<bool>());
    }
}
