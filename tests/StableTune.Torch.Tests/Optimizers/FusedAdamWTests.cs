namespace StableTune.Torch.Tests.Optimizers;

public sealed class FusedAdamWTests : IDisposable
{
    private static readonly AdamWRates Rates = new(LearningRate: 1e-2, Beta1: 0.9, Beta2: 0.99, Epsilon: 1e-3, WeightDecay: 0.1);
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    private static AdamWTensors New(Tensor[] parameters, bool amsGrad = false, ScalarType? moments = null)
    {
        Tensor[] Zeros() => [.. parameters.Select(parameter => zeros(parameter.shape, moments ?? parameter.dtype))];
        return new(parameters, [.. parameters.Select(parameter => zeros(parameter.shape, parameter.dtype))], Zeros(), Zeros(),
            amsGrad ? Zeros() : null, [.. parameters.Select(_ => tensor(0f))]);
    }

    private static void Step(AdamWTensors tensors, int step)
    {
        using var off = no_grad();
        foreach (var count in tensors.Steps) count.fill_(step);
        for (var k = 0; k < tensors.Gradients.Length; k++)
        {
            var places = arange(tensors.Gradients[k].numel(), float64).view(tensors.Gradients[k].shape);
            tensors.Gradients[k].copy_((places * (k + 1) + 0.7 * step).cos() / step);
        }
        FusedAdamW.Step(tensors, Rates);
    }

    /// <summary>One element by the formula of the paper.</summary>
    private static double Expected(double weight, Func<int, double> gradient, int steps, bool amsGrad)
    {
        double average = 0, square = 0, largest = 0;
        for (var step = 1; step <= steps; step++)
        {
            var g = gradient(step);
            weight *= 1 - Rates.LearningRate * Rates.WeightDecay;
            average = Rates.Beta1 * average + (1 - Rates.Beta1) * g;
            square = Rates.Beta2 * square + (1 - Rates.Beta2) * g * g;
            largest = Math.Max(largest, square);
            var root = Math.Sqrt((amsGrad ? largest : square) / (1 - Math.Pow(Rates.Beta2, step)));
            weight -= Rates.LearningRate * average / (1 - Math.Pow(Rates.Beta1, step)) / (root + Rates.Epsilon);
        }

        return weight;
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Step_OverSeveralSteps_FollowsTheFormula(bool amsGrad)
    {
        var tensors = New([ones([2, 3], float64), full([5], -0.5, float64), ones([], float64)], amsGrad);
        for (var step = 1; step <= 6; step++) Step(tensors, step);
        for (var k = 0; k < 3; k++)
        {
            var start = k == 1 ? -0.5 : 1;
            var expected = Enumerable.Range(0, (int)tensors.Parameters[k].numel())
                .Select(i => Expected(start, step => Math.Cos(i * (k + 1) + 0.7 * step) / step, 6, amsGrad)).ToArray();
            // libtorch keeps the step's number and the bias corrections derived from it in double, the number itself in float32.
            Close.To(tensors.Parameters[k].flatten(), expected, 1e-9);
        }
    }

    [Theory]
    [InlineData(ScalarType.Float32, 1e-5)]
    [InlineData(ScalarType.BFloat16, 2e-2)]
    [InlineData(ScalarType.Float16, 2e-3)]
    public void Step_OfOtherTypes_FollowsToo(ScalarType type, double tolerance)
    {
        var (tensors, precise) = (New([ones([2, 3], type)]), New([ones([2, 3], float64)]));
        for (var step = 1; step <= 3; step++)
        {
            Step(tensors, step);
            Step(precise, step);
        }
        Close.To(tensors.Parameters[0], precise.Parameters[0], tolerance);
    }

    [Fact]
    public void Step_WithAGradientOfAnotherLayout_EqualsTheContiguousOne()
    {
        Tensor Stepped(Tensor gradient, Tensor? parameter = null)
        {
            var tensors = New([parameter ?? ones(2, 3)]) with { Gradients = [gradient], Steps = [tensor(1f)] };
            FusedAdamW.Step(tensors, Rates);
            FusedAdamW.Step(tensors, Rates);
            return tensors.Parameters[0];
        }
        var gradient = arange(6, float32).view(3, 2).t();
        Close.Same(Stepped(gradient.contiguous()), Stepped(gradient));
        Assert.Throws<ArgumentException>(() => Stepped(gradient, ones(3, 2).t()));   // its moments are contiguous
    }

    [Fact]
    public void Step_OfLeaves_ThatWantGradients_WorksUnderNoGrad()
    {
        var parameter = ones([3], requires_grad: true);
        Step(New([parameter]), 1);
        Assert.True(parameter.is_leaf);
        Assert.True(parameter.requires_grad);
        Assert.NotEqual(1f, parameter[0].item<float>());
    }

    [Fact]
    public void Step_OfManyTensors_EqualsEachAlone()
    {
        var many = New([.. Enumerable.Range(0, 200).Select(_ => ones([3], float64))]);
        var alone = New([ones([3], float64)]);
        Step(many, 1);
        Step(alone, 1);
        Close.To(many.Parameters[0], alone.Parameters[0], 0);
        Assert.NotEqual(many.Parameters[0][1].item<double>(), many.Parameters[199][1].item<double>());
    }

    [Fact]
    public void Step_OfTensorsThatDoNotFit_IsRefused()
    {
        var good = New([ones(3), ones(2)]);
        AdamWTensors[] bad =
        [
            good with { Gradients = good.Gradients[..1] }, good with { Averages = [] }, good with { Squares = good.Squares[1..] },
            good with { Steps = good.Steps[..1] },
            good with { LargestSquares = [zeros(3)] }, good with { Gradients = [ones(3), ones(3)] },
            good with { LargestSquares = [zeros(3), zeros(1)] },
            good with { Averages = [zeros(3), zeros([2], float64)] }, good with { Gradients = [ones([3], float64), ones(2)] },
        ];
        foreach (var tensors in bad)
            Assert.StartsWith("AdamW: ", Assert.Throws<ArgumentException>(() => FusedAdamW.Step(tensors, Rates)).Message);
        Assert.Contains("Gradients[1] is Float32 [3], its parameter Float32 [2].",
            Assert.Throws<ArgumentException>(() => FusedAdamW.Step(bad[5], Rates)).Message);
        Close.To(good.Parameters[0], [1, 1, 1]);
        Assert.StartsWith("aten::_fused_adamw_ failed for (",
            Assert.Throws<TorchException>(() => FusedAdamW.Step(New([ones([3], ScalarType.Int64)]), Rates)).Message);
        Assert.Throws<ArgumentNullException>(() => FusedAdamW.Step(null!, Rates));
        Assert.Throws<ArgumentNullException>(() => FusedAdamW.Step(good, null!));
    }
}
