using StableTune.Optimizers;
using StableTune.Testing;

namespace StableTune.Training.Tests;

/// <summary>The moving average of weights against its formula in double precision.</summary>
public sealed class WeightAverageTests
{
    public static TheoryData<string> Kinds => ["plain", "power", "constant", "limits", "late", "seldom", "host"];

    private static EmaOptions Options(string kind) => kind switch
    {
        "power" => new() { Warmup = new PowerEmaWarmup { Gamma = 2, Power = 0.75 } },
        "constant" => new() { Warmup = null, Decay = 0.9 },
        "limits" => new() { Decay = 0.4, LeastDecay = 0.3 },
        "late" => new() { UpdateAfterStep = 3 },
        "seldom" => new() { EveryNSteps = 3, UpdateAfterStep = 1 },
        "host" => new() { OnHost = true },
        _ => new(),
    };

    [Theory]
    [MemberData(nameof(Kinds))]
    public void AfterStep_FollowsTheFormula(string kind)
    {
        using var scope = NewDisposeScope();
        var options = Options(kind);
        var weights = Weights(ScalarType.Float32);
        using var average = Average(options, weights);
        var (expected, updates) = (Array.Empty<double>(), 0);
        for (var step = 1; step <= 12; step++)
        {
            Move(weights, step);
            average.AfterStep(step);
            if (step <= options.UpdateAfterStep || (step - options.UpdateAfterStep - 1) % options.EveryNSteps != 0) continue;
            var (now, decay) = (All(weights), Decay(kind, updates++));
            expected = expected.Length == 0 ? now : [.. expected.Zip(now, (e, θ) => (e * decay) + (θ * (1 - decay)))];
        }

        var trained = All(weights);
        using (average.Use())
            Assert.All(All(weights).Zip(expected), pair => Assert.Equal(pair.Second, pair.First, 2e-6));
        Assert.Equal(trained, All(weights));
    }

    /// <summary>The formulas of the decay, written out once more.</summary>
    private static double Decay(string kind, int s) => s == 0 ? 0 : kind switch
    {
        "power" => Math.Min(0.9999, 1 - Math.Pow(1 + (s / 2.0), -0.75)),
        "constant" => 0.9,
        "limits" => Math.Max(0.3, Math.Min(0.4, (1.0 + s) / (10 + s))),
        _ => Math.Min(0.9999, (1.0 + s) / (10 + s)),
    };

    /// <summary>In bfloat16 an average would stand still: 1 - d is less than half a step of its numbers.</summary>
    [Theory]
    [InlineData(ScalarType.BFloat16)]
    [InlineData(ScalarType.Float16)]
    public void AfterStep_OfHalfWeights_AveragesInFloat32_AndGivesBackTheWeightsUnchanged(ScalarType type)
    {
        using var scope = NewDisposeScope();
        var weights = Weights(type);
        using var average = Average(new EmaOptions { Warmup = null, Decay = 0.999 }, weights);
        foreach (var weight in weights) Fill(weight, 1);
        average.AfterStep(1);
        foreach (var weight in weights) Fill(weight, 2);
        for (var step = 2; step <= 400; step++) average.AfterStep(step);
        using (average.Use())
            Assert.All(All(weights), number => Assert.Equal(2 - Math.Pow(0.999, 399), number, 0.006));
        Assert.All(All(weights), number => Assert.Equal(2, number));
        Assert.All(weights, weight => Assert.Equal(type, weight.dtype));
    }

    [Fact]
    public void Use_BeforeTheFirstUpdate_IsTheWeightsThemselves()
    {
        using var scope = NewDisposeScope();
        using var average = Average(new EmaOptions { UpdateAfterStep = 5 }, Weights(ScalarType.Float32));
        average.AfterStep(5);
        Assert.Null(average.Use());
        average.AfterStep(6);
        using var use = average.Use();
        Assert.NotNull(use);
    }

    [Fact]
    public void State_ComesBack_AndGoesOnBitForBit()
    {
        using var scope = NewDisposeScope();
        var weights = Weights(ScalarType.Float32);
        using var average = Average(new EmaOptions(), weights);
        using var other = Average(new EmaOptions { OnHost = true }, weights);
        for (var step = 1; step <= 4; step++)
        {
            Move(weights, step);
            average.AfterStep(step);
        }

        Setup.Copy(average, other);
        Move(weights, 5);
        average.AfterStep(5);
        other.AfterStep(5);
        double[] here, there;
        using (average.Use()) here = All(weights);
        using (other.Use()) there = All(weights);
        Assert.Equal(here, there);
    }

    [Fact]
    public void AfterStepAndUse_LeaveNothingBehind()
    {
        using var scope = NewDisposeScope();
        var weights = Weights(ScalarType.Float32);
        using var average = Average(new EmaOptions(), weights);
        average.AfterStep(1);
        var before = HeldTensors.Before();
        for (var step = 2; step < 50; step++)
        {
            average.AfterStep(step);
            average.Use()!.Dispose();
        }

        Assert.Equal(before, TensorCount.Live);
    }

    [Theory]
    [InlineData("EmaOptions.Decay", 1.0, 0.0, 0, 1)]
    [InlineData("EmaOptions.LeastDecay", 0.5, 0.6, 0, 1)]
    [InlineData("EmaOptions.UpdateAfterStep", 0.5, 0.0, -1, 1)]
    [InlineData("EmaOptions.EveryNSteps", 0.5, 0.0, 0, 0)]
    public void Validate_NamesWhatCannotBe(string option, double decay, double least, int after, int every) =>
        Assert.Equal(option, Assert.Single(new EmaOptions
        {
            Decay = decay, LeastDecay = least, UpdateAfterStep = after, EveryNSteps = every,
        }.Validate()).Option);

    [Fact]
    public void Validate_LooksAtTheWarmUp() =>
        Assert.Equal(["PowerEmaWarmup.Gamma", "PowerEmaWarmup.Power"],
            new EmaOptions { Warmup = new PowerEmaWarmup { Gamma = 0, Power = double.NaN } }.Validate().Select(problem => problem.Option));

    private static Tensor[] Weights(ScalarType type) => [zeros([3, 4], type).requires_grad_(), zeros([5], type).requires_grad_()];

    private static WeightAverage Average(EmaOptions options, Tensor[] weights) =>
        new(options, weights.Select((weight, i) => new NamedParameter($"{i}", weight)));

    private static void Move(Tensor[] weights, int step)
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        using var random = new Generator((ulong)step);
        foreach (var weight in weights) weight.add_(randn(weight.shape, generator: random));
    }

    private static void Fill(Tensor weight, double value)
    {
        using var frozen = no_grad();
        weight.fill_(value);
    }

    private static double[] All(Tensor[] weights) =>
        [.. weights.SelectMany(weight => weight.detach().to(ScalarType.Float64).reshape(-1).data<double>().ToArray())];
}
