using StableTune.Optimizers;
using StableTune.Schedules;

namespace StableTune.Training.Tests;

/// <summary>Schedules beyond those of the references, whose numbers are tested by their options' names, and what makes them up.</summary>
public sealed class ScheduleTests
{
    [Theory]
    [InlineData(-1, 0)]
    [InlineData(0, 1.1)]
    [InlineData(0, -0.1)]
    public void Validate_WarmupOutOfRange_NamesTheOption(int steps, double ratio)
    {
        var warmup = ratio == 0 ? Warmup.Steps(steps) : Warmup.Ratio(ratio);
        Assert.Equal("ConstantWithWarmupScheduleOptions.Warmup",
            Assert.Single(new ConstantWithWarmupScheduleOptions { Warmup = warmup }.Validate()).Option);
        Assert.Equal("RexScheduleOptions.Warmup", Assert.Single(new RexScheduleOptions { Warmup = warmup }.Validate()).Option);
        Assert.Equal("WarmupStableDecayScheduleOptions.Decay",
            Assert.Single(new WarmupStableDecayScheduleOptions { Decay = warmup }.Validate()).Option);
    }

    public static TheoryData<LrScheduleOptions, string> Impossible() => new()
    {
        { new CosineScheduleOptions { Waves = 0 }, "Waves" },
        { new CosineWithRestartsScheduleOptions { Cycles = double.NaN }, "Cycles" },
        { new CosineWithMinLrScheduleOptions { MinRatio = 2 }, "MinRatio" },
        { new CosineWithMinLrScheduleOptions { MinRatio = 0.1, Cycles = -1 }, "Cycles" },
        { new PolynomialScheduleOptions { Power = 0 }, "Power" },
        { new PolynomialScheduleOptions { EndRate = -1 }, "EndRate" },
        { new InverseSqrtScheduleOptions { Timescale = 0 }, "Timescale" },
        { new WarmupStableDecayScheduleOptions { MinRatio = -0.1 }, "MinRatio" },
        { new PlateauScheduleOptions { Factor = 1 }, "Factor" },
        { new PlateauScheduleOptions { Patience = -1 }, "Patience" },
        { new PlateauScheduleOptions { Threshold = 1 }, "Threshold" },
        { new PlateauScheduleOptions { Cooldown = -1 }, "Cooldown" },
        { new PlateauScheduleOptions { MinRatio = 2 }, "MinRatio" },
        { new PlateauScheduleOptions { EveryNSteps = 0 }, "EveryNSteps" },
        { new StepLrScheduleOptions { StepSize = 10, Gamma = 0 }, "Gamma" },
        { new MultiStepLrScheduleOptions { Milestones = [0] }, "Milestones" },
        { new CosineAnnealingLrScheduleOptions { TMax = 1, EtaMin = -1 }, "EtaMin" },
        { new CosineWarmRestartsScheduleOptions { T0 = 1, TMult = 0 }, "TMult" },
    };

    [Theory]
    [MemberData(nameof(Impossible))]
    public void Validate_AnImpossibleValue_NamesTheOption(LrScheduleOptions options, string option) =>
        Assert.Equal($"{options.GetType().Name}.{option}", Assert.Single(options.Validate()).Option);

    [Fact]
    public void Rex_FallsLate()
    {
        var schedule = new RexScheduleOptions { Warmup = Warmup.Steps(10) }.Create(110);
        Assert.Equal([0, 0.5, 1], new[] { 0, 5, 10 }.Select(schedule.Factor));
        Assert.Equal(2.0 / 3, schedule.Factor(60), 1e-15);                   // half way: ½ / ¾
        Assert.Equal([0, 0], new[] { 110, 200 }.Select(schedule.Factor));
    }

    [Fact]
    public void Points_AreJoinedByStraightLines()
    {
        var schedule = new PointsScheduleOptions { Points = CurvePoints.Parse("50%:1, 0:0.5, 10:1,1.0:0") }.Create(100);
        Assert.Equal([0.5, 0.75, 1, 1, 1, 0.5, 0, 0], new[] { 0, 5, 10, 30, 50, 75, 100, 500 }.Select(schedule.Factor));
        Assert.Equal(0.25, new PointsScheduleOptions { Points = new CurvePoints(CurvePoint.AtPart(0.5, 0.25)) }.Create(8).Factor(0));
    }

    [Theory]
    [InlineData("")]
    [InlineData("0:1, 5")]
    [InlineData("0:1:2")]
    [InlineData("150%:1")]
    [InlineData("-1:1")]
    [InlineData("0:-1")]
    [InlineData("0:nan")]
    public void Points_ThatAreNone_AreRefusedInWords(string text) =>
        Assert.True(Assert.Throws<FormatException>(() => CurvePoints.Parse(text)).Message.Length > 20);

    [Theory]
    [InlineData("1:10,0.1:20,0.01")]
    [InlineData("0.5")]
    public void NotationsOfRulesAndPoints_ComeBack(string rules)
    {
        Assert.Equal(rules, StepRules.Parse(rules).ToString());
        Assert.Equal(StepRules.Parse(rules), StepRules.Parse(rules));
        var points = CurvePoints.Parse("0:0.5, 10%:1, 1.0:0, 20:0.25");
        Assert.Equal("0:0.5, 0.1:1, 1.0:0, 20:0.25", points.ToString());
        Assert.Equal(points, CurvePoints.Parse(points.ToString()));
    }

    [Theory]
    [InlineData("")]
    [InlineData("1:10,0.1:20")]
    [InlineData("1:x,1")]
    [InlineData("1:0,1")]
    [InlineData("-1:5,1")]
    [InlineData("1:5,2:5,1")]
    public void Rules_ThatAreNone_AreRefusedInWords(string text) =>
        Assert.True(Assert.Throws<FormatException>(() => StepRules.Parse(text)).Message.Length > 20);

    [Fact]
    public void AFunction_IsAsked()
    {
        var schedule = new FunctionScheduleOptions((step, steps) => 1 - ((double)step / steps)).Create(8);
        Assert.Equal([1, 0.5, 0], new[] { 0, 4, 8 }.Select(schedule.Factor));
    }

    [Fact]
    public void Plateau_LowersTheRateWhenALossStaysAsItWas_AndRests()
    {
        var options = new PlateauScheduleOptions
        {
            Metric = PlateauMetric.AverageLoss, EveryNSteps = 1, Factor = 0.5, Patience = 1, Cooldown = 2, Threshold = 0.1, MinRatio = 0.2,
        };
        // Best 1; 0.95 is no improvement by a tenth; the second such lowers. Two looks of rest, and so on to the least factor.
        double[] losses = [1, 0.95, 0.95, 0.95, 0.95, 0.95, 0.95, 0.95, 0.95, 0.95, 0.95, 0.5];
        double[] expected = [1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25, 0.2, 0.2];
        Assert.Equal(expected, Factors(options.Create(100), losses));
    }

    [Fact]
    public void Plateau_LooksAtEachValidationOnce()
    {
        var schedule = new PlateauScheduleOptions { Patience = 0, Factor = 0.5 }.Create(100);
        void See(int step, int validations, double loss) =>
            schedule.Observe(new ScheduleMetrics(step, 1, 1, loss) { Validations = validations });
        See(1, 0, double.NaN);
        See(2, 1, 1);
        See(3, 1, 1);
        Assert.Equal(1, schedule.Factor(4));
        See(4, 2, 1);
        See(5, 2, 1);
        Assert.Equal(0.5, schedule.Factor(6));
    }

    [Fact]
    public void Plateau_WithWarmup_CountsFromItsEnd()
    {
        var schedule = new PlateauScheduleOptions
        {
            Warmup = Warmup.Steps(3), Metric = PlateauMetric.AverageLoss, EveryNSteps = 1, Patience = 0, Factor = 0.5,
        }.Create(100);
        Assert.Equal([0, 1.0 / 3, 2.0 / 3, 1, 0.5], Factors(schedule, [1, 1, 1, 1, 1]).Prepend(0).Take(5));
        Assert.True(schedule.NeedsEveryLoss);
    }

    [Fact]
    public void RunSchedules_GroupsWithTheirOwn_FollowThem_AndTheStateHoldsAll()
    {
        var plateau = new PlateauScheduleOptions { Metric = PlateauMetric.AverageLoss, EveryNSteps = 1, Patience = 0, Factor = 0.5 };
        ParameterGroup[] groups =
        [
            new("a", [], 1e-3), new("b", [], 1e-4) { Schedule = plateau }, new("c", [], 1e-5) { Schedule = new LinearScheduleOptions() },
            new("d", [], 1e-6) { Schedule = plateau with { } },
        ];
        RunSchedules Make() => new(plateau with { Factor = 0.25 }, groups, new ScheduleSetup(10));
        var schedules = Make();
        Assert.Equal([1e-3, 1e-4, 1e-5, 1e-6], schedules.Rates(0));
        schedules.Observe(new ScheduleMetrics(1, 1, 1, double.NaN));
        schedules.Observe(new ScheduleMetrics(2, 1, 1, double.NaN));
        Assert.Equal([0.25e-3, 0.5e-4, 1e-5 * (1 - 0.2), 0.5e-6], schedules.Rates(2));

        var writer = new StateWriter();
        schedules.Save(writer);
        var resumed = Make();
        resumed.Load(new StateReader("state", "loop", writer.Values, null));
        Assert.Equal(schedules.Rates(2), resumed.Rates(2));
        schedules.Observe(new ScheduleMetrics(3, 1, 1, double.NaN));
        resumed.Observe(new ScheduleMetrics(3, 1, 1, double.NaN));
        Assert.Equal(schedules.Rates(3), resumed.Rates(3));
    }

    [Fact]
    public void RunSchedules_NoNumber_IsRefusedWithTheStep()
    {
        var schedules = new RunSchedules(new FunctionScheduleOptions((step, _) => step == 3 ? double.NaN : 1), [new("a", [], 1)],
            new ScheduleSetup(10));
        Assert.Equal([1.0], schedules.Rates(2));
        var fault = Assert.Throws<InvalidOperationException>(() => schedules.Rates(3));
        Assert.Contains("\"function\" gave NaN for step 3", fault.Message, StringComparison.Ordinal);
    }

    private static double[] Factors(ILrSchedule schedule, double[] losses)
    {
        var factors = new double[losses.Length];
        for (var i = 0; i < losses.Length; i++)
        {
            schedule.Observe(new ScheduleMetrics(i + 1, losses[i], losses[i], double.NaN));
            factors[i] = schedule.Factor(i + 1);
        }

        return factors;
    }
}
