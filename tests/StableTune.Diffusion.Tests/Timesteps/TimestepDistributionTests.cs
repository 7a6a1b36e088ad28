using StableTune.Testing;

namespace StableTune.Diffusion.Tests;

/// <summary>Distributions of timesteps against the densities or formulas that define them.</summary>
public sealed class TimestepDistributionTests
{
    private const int Draws = 20_000;

    /// <summary>Kolmogorov: with this many draws the distance of a right distribution is above this in one of a million seeds.</summary>
    private static readonly double s_limit = 2.7 / Math.Sqrt(Draws);

    public static TheoryData<string, ITimestepSource, Func<double, double>> Densities() => new()
    {
        { "uniform", new UniformTimesteps(), _ => 1 },
        { "uniform in a range", new UniformTimesteps { Min = 300, Max = 340 }, _ => 1 },
        { "logit normal", new LogitNormalTimesteps(), x => LogitNormal(x, 0, 1) },
        { "logit normal, moved", new LogitNormalTimesteps { Mean = 0.8, Std = 0.5 }, x => LogitNormal(x, 0.8, 0.5) },
        { "logit normal in a range", new LogitNormalTimesteps { Min = 600, Max = 950 }, x => LogitNormal(x, 0, 1) },
        { "sigmoid", new SigmoidTimesteps { Scale = 1.5 }, x => LogitNormal(x, 0, 1.5) },
        { "inverted parabola", new InvertedParabolaTimesteps(), x => x * (1 - x) },
        { "inverted parabola, narrow", new InvertedParabolaTimesteps { Weight = 50, Bias = 0.2 },
            x => Math.Max(0, 2 - (50 * (x - 0.7) * (x - 0.7))) },
        { "inverted parabola, flat", new InvertedParabolaTimesteps { Weight = 0, Min = 10, Max = 500 }, _ => 1 },
        { "beta 2 2", new BetaTimesteps(), x => x * (1 - x) },
        { "beta 1 1", new BetaTimesteps { Alpha = 1, Beta = 1 }, _ => 1 },
        { "beta 5 1.5", new BetaTimesteps { Alpha = 5, Beta = 1.5 }, x => Math.Pow(x, 4) * Math.Sqrt(1 - x) },
        { "beta 40 60", new BetaTimesteps { Alpha = 40, Beta = 60 },
            x => Math.Exp((39 * Math.Log(x / 0.4)) + (59 * Math.Log((1 - x) / 0.6))) },
        { "beta 2 100 in a range", new BetaTimesteps { Alpha = 2, Beta = 100, Max = 100 }, x => x * Math.Pow(1 - x, 99) },
        { "cosmap", new CosMapTimesteps(), x => 1 / (1 - (2 * x) + (2 * x * x)) },
        { "cosmap in a range", new CosMapTimesteps { Min = 500 }, x => 1 / (1 - (2 * x) + (2 * x * x)) },
    };

    [Theory]
    [MemberData(nameof(Densities))]
    public void Draw_FollowsTheDensity(string name, ITimestepSource source, Func<double, double> density)
    {
        Assert.NotEmpty(name);
        Assert.Empty(source.Validate());
        var (min, max) = source.Range!.Value;
        // The middle of each of ten parts of a timestep.
        var weights = Enumerable.Range(min * 10, (max - min) * 10).Select(tenth => density((tenth + 0.5) / 10_000)).ToArray();
        AssertDistributed(source, min, [.. weights.Chunk(10).Select(part => part.Sum() / weights.Sum())]);
    }

    public static TheoryData<string, ITimestepSource, Func<double, double>> Formulas() => new()
    {
        { "mode", new ModeTimesteps(), u => Mode(u, 1.29) },
        { "mode, ends", new ModeTimesteps { Scale = -0.8 }, u => Mode(u, -0.8) },
        { "mode, even", new ModeTimesteps { Scale = 0, Max = 100 }, u => 1 - u },
        { "mode in a range", new ModeTimesteps { Scale = 1.75, Min = 450, Max = 900 }, u => Mode(u, 1.75) },
        { "cosmap", new CosMapTimesteps(), u => 1 - (1 / (Math.Tan(Math.PI * u / 2) + 1)) },
        { "beta at both ends", new BetaTimesteps { Alpha = 0.5, Beta = 0.5 }, u => Math.Pow(Math.Sin(Math.PI * u / 2), 2) },
    };

    /// <summary>The formula at evenly spread u is the distribution.</summary>
    [Theory]
    [MemberData(nameof(Formulas))]
    public void Draw_FollowsTheFormula(string name, ITimestepSource source, Func<double, double> formula)
    {
        Assert.NotEmpty(name);
        Assert.Empty(source.Validate());
        var (min, max) = source.Range!.Value;
        const int points = 400_000;
        var shares = new double[max - min];
        for (var i = 0; i < points; i++)
        {
            var timestep = (int)Math.Clamp(Math.Floor(formula((i + 0.5) / points) * 1000), 0, 999);
            if (timestep >= min && timestep < max) shares[timestep - min]++;
        }

        var all = shares.Sum();
        AssertDistributed(source, min, [.. shares.Select(share => share / all)]);
    }

    [Fact]
    public void Draw_NarrowRange_StaysInIt_AndIsTheSameForOneSeed()
    {
        using var scope = NewDisposeScope();
        foreach (var name in TimestepCatalog.Default.Names)
        {
            var source = TimestepCatalog.Default.Create(name);
            Assert.Equal((0, 1000), source.Range);
            Assert.Empty(source.Validate());
            using var first = new Generator(4);
            using var second = new Generator(4);
            Assert.Equal(GoldenComparison.Floats(source.Draw(8, first)), GoldenComparison.Floats(source.Draw(8, second)));
        }

        using var random = new Generator(3);
        var drawn = new LogitNormalTimesteps { Min = 500, Max = 502 }.Draw(200, random);
        Assert.Equal((ScalarType.Int64, 200L), (drawn.dtype, drawn.shape[0]));
        Assert.Equal([500f, 501f], GoldenComparison.Floats(drawn).Distinct().Order());
    }

    public static TheoryData<TimestepDistribution, string> Impossible() => new()
    {
        { new LogitNormalTimesteps { Std = 0 }, "Std" },
        { new LogitNormalTimesteps { Mean = double.NaN }, "Mean" },
        { new LogitNormalTimesteps { Min = -1 }, "Min" },
        { new LogitNormalTimesteps { Max = 1001 }, "Max" },
        { new LogitNormalTimesteps { Min = 5, Max = 5 }, "Max" },
        { new LogitNormalTimesteps { Mean = 8, Max = 100 }, "Max" },
        { new SigmoidTimesteps { Scale = -1 }, "Scale" },
        { new ModeTimesteps { Scale = 1.8 }, "Scale" },
        { new InvertedParabolaTimesteps { Weight = -1 }, "Weight" },
        { new InvertedParabolaTimesteps { Bias = 0.6 }, "Bias" },
        { new InvertedParabolaTimesteps { Weight = 100, Max = 100 }, "Max" },
        { new BetaTimesteps { Alpha = 0 }, "Alpha" },
        { new BetaTimesteps { Beta = 101 }, "Beta" },
    };

    [Theory]
    [MemberData(nameof(Impossible))]
    public void Validate_AnImpossibleValue_NamesTheOption(TimestepDistribution source, string option) =>
        Assert.Equal($"{source.GetType().Name}.{option}", Assert.Single(source.Validate()).Option);

    private static double LogitNormal(double x, double mean, double std)
    {
        var z = (Math.Log(x / (1 - x)) - mean) / std;
        return Math.Exp(-z * z / 2) / (x * (1 - x));
    }

    private static double Mode(double u, double scale) => 1 - u - (scale * (Math.Pow(Math.Cos(Math.PI * u / 2), 2) - 1 + u));

    private static void AssertDistributed(ITimestepSource source, int min, double[] shares)
    {
        using var scope = NewDisposeScope();
        using var random = new Generator(11);
        var drawn = new double[shares.Length];
        foreach (var timestep in source.Draw(Draws, random).data<long>().ToArray()) drawn[timestep - min] += 1.0 / Draws;
        var (expected, actual, distance) = (0.0, 0.0, 0.0);
        for (var i = 0; i < shares.Length; i++)
        {
            (expected, actual) = (expected + shares[i], actual + drawn[i]);
            distance = Math.Max(distance, Math.Abs(expected - actual));
        }

        Assert.True(distance < s_limit, $"the distance is {distance:0.0000}, and {s_limit:0.0000} is allowed");
    }
}
