namespace StableTune.LibTorch.Tests;

public sealed class InitTests
{
    /// <summary>Uniform within ±bound: the bound is nearly reached, the deviation is bound / √3.</summary>
    private static void AssertUniform(Tensor tensor, double bound)
    {
        using var scope = NewDisposeScope();
        var values = tensor.to(float64).data<double>().ToArray();
        // None of n draws in the outer 10 / n at one side: probability e^-10. The deviation's own relative deviation: 0.447 / √n; five of them.
        var reached = (1 - 20.0 / values.Length) * bound;
        Assert.InRange(values.Max(), reached, bound);
        Assert.InRange(values.Min(), -bound, -reached);
        var margin = 5 * 0.447 / Math.Sqrt(values.Length);
        Assert.InRange(Math.Sqrt(values.Average(value => value * value)) * Math.Sqrt(3) / bound, 1 - margin, 1 + margin);
    }

    [Fact]
    public void LayersBegin_AsPyTorchs()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(11);
        using var linear = nn.Linear(64, 512, generator: generator);
        AssertUniform(linear.weight, 1 / Math.Sqrt(64));
        AssertUniform(linear.bias!, 1 / Math.Sqrt(64));
        using var conv = nn.Conv2d(8, 256, 3, groups: 2, generator: generator);
        AssertUniform(conv.weight, 1 / Math.Sqrt(4 * 9));
        AssertUniform(conv.bias!, 1 / Math.Sqrt(4 * 9));
        using var table = nn.Embedding(200, 64, generator: generator);
        Assert.InRange(table.weight.std().ToDouble(), 0.97, 1.03);
        Assert.InRange(table.weight.mean().ToDouble(), -0.03, 0.03);
        using var norm = nn.GroupNorm(2, 4);
        Close.To(norm.weight!, [1, 1, 1, 1], 0);
        Close.To(norm.bias!, [0, 0, 0, 0], 0);
    }

    [Fact]
    public void Layers_WithOneSeed_BeginAlike()
    {
        using var scope = NewDisposeScope();
        using var a = new Generator(1);
        using var b = new Generator(1);
        using var first = nn.Linear(3, 3, generator: a);
        using var second = nn.Linear(3, 3, generator: b);
        Close.To(second.weight, first.weight, 0);
        Close.To(second.bias!, first.bias!, 0);
    }

    [Fact]
    public void Kaiming_AndXavier_HaveTheirRanges()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(5);
        var weight = empty(128, 32, 3, 3);
        AssertUniform(nn.init.kaiming_uniform_(weight, generator: generator), Math.Sqrt(6.0 / 288));
        AssertUniform(nn.init.kaiming_uniform_(weight, Math.Sqrt(5), generator: generator), 1 / Math.Sqrt(288));
        AssertUniform(nn.init.kaiming_uniform_(weight, mode: nn.init.FanInOut.FanOut, nonlinearity: nn.init.NonlinearityType.Linear, generator: generator), Math.Sqrt(3.0 / 1152));
        AssertUniform(nn.init.xavier_uniform_(weight, 2, generator), 2 * Math.Sqrt(6.0 / 1440));
        Assert.Equal(Math.Sqrt(2.0 / 288), nn.init.kaiming_normal_(weight, generator: generator).std().ToDouble(), 2e-3);
        Assert.Equal(Math.Sqrt(2.0 / 1440), nn.init.xavier_normal_(weight, generator: generator).std().ToDouble(), 1e-3);
        Assert.Throws<ArgumentException>(() => nn.init.kaiming_uniform_(weight[0, 0, 0]));
    }

    [Fact]
    public void Constants_AndSimpleDraws()
    {
        using var scope = NewDisposeScope();
        using var parameter = nn.Parameter(empty(1000));
        Close.To(nn.init.constant_(parameter, 2.5).max(), [2.5], 0);
        Close.To(nn.init.ones_(parameter).min(), [1], 0);
        Close.To(nn.init.zeros_(parameter).max(), [0], 0);
        AssertUniform(nn.init.uniform_(parameter, 2, 4) - 3, 1);
        var normal = nn.init.normal_(parameter, 5, 0.1);
        Assert.InRange(normal.mean().ToDouble(), 4.98, 5.02);
        Assert.InRange(normal.std().ToDouble(), 0.09, 0.11);
        Assert.Same(parameter, normal);
        Assert.True(parameter is { is_leaf: true, requires_grad: true });
    }

    [Theory]
    [InlineData(6, 3)]
    [InlineData(3, 6)]
    public void Orthogonal_HasOrthonormalSide(long rows, long columns)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(2);
        var weight = nn.init.orthogonal_(empty([rows, columns], ScalarType.Float64), 2, generator);
        var product = rows < columns ? weight.mm(weight.t()) : weight.t().mm(weight);
        Close.To(product, eye(3, dtype: ScalarType.Float64) * 4, 1e-12);
    }

    [Fact]
    public void CalculateGain_ByDefinition()
    {
        Assert.Equal(1, nn.init.calculate_gain(nn.init.NonlinearityType.Linear));
        Assert.Equal(5.0 / 3, nn.init.calculate_gain(nn.init.NonlinearityType.Tanh));
        Assert.Equal(Math.Sqrt(2), nn.init.calculate_gain(nn.init.NonlinearityType.ReLU));
        Assert.Equal(Math.Sqrt(2 / 1.04), nn.init.calculate_gain(nn.init.NonlinearityType.LeakyReLU, 0.2), 14);
    }
}
