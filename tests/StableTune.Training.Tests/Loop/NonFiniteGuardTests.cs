namespace StableTune.Training.Tests;

/// <summary>Steps that are not finite: which end the run, and what is told of them.</summary>
public sealed class NonFiniteGuardTests
{
    private static readonly LossScalingOptions Scaling = new();

    [Fact]
    public void Take_ByDefault_EndsTheRun_NamingStepImagesAndState()
    {
        var guard = new NonFiniteGuard(new NonFiniteOptions(), null);
        Assert.True(guard.Take(Step(1, loss: 0.5, norm: 2), null));
        var fault = Assert.Throws<TrainingDivergedException>(() => guard.Take(Step(2, loss: 0.5, norm: double.PositiveInfinity),
            "out/frog-state"));
        Assert.Equal(("norm of the gradients", 2, "out/frog-state"), (fault.Quantity, fault.Step, fault.LastState));
        foreach (var part in new[] { "infinite in step 2", "a.png, b.png", "The last state is out/frog-state", "weights before this step" })
            Assert.Contains(part, fault.Message, StringComparison.Ordinal);
        Assert.Equal("loss", Assert.Throws<TrainingDivergedException>(() =>
            guard.Take(Step(3, loss: double.NaN, norm: double.NaN), null)).Quantity);
    }

    [Fact]
    public void Take_WithSkipping_GoesOn_UntilTooManyInARow()
    {
        var guard = new NonFiniteGuard(new NonFiniteOptions { Skip = true, MostInARow = 2 }, null);
        bool Bad(int step) => guard.Take(Step(step, loss: double.NaN, norm: double.NaN), null);
        Assert.Equal([false, false, true, false, false], new[] { Bad(1), Bad(2), guard.Take(Step(3, 1, 1), null), Bad(4), Bad(5) });
        Assert.Equal(4, guard.Skipped);
        var fault = Assert.Throws<TrainingDivergedException>(() => Bad(6));
        Assert.Equal((6, 2), (fault.Step, fault.SkippedBefore));
        Assert.Contains("2 steps before it", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Take_AnOverflowInFloat16_LeavesTheStepOut_AsLongAsTheScaleCanFall()
    {
        var guard = new NonFiniteGuard(new NonFiniteOptions(), Scaling);
        for (var scale = 65536.0; scale > 1; scale /= 2)
            Assert.False(guard.Take(Step(1, 0.5, double.PositiveInfinity) with { Scale = scale }, null));
        Assert.Equal(16, guard.Skipped);
        Assert.Throws<TrainingDivergedException>(() => guard.Take(Step(1, 0.5, double.PositiveInfinity) with { Scale = 1 }, null));
        // No scale mends a loss.
        Assert.Throws<TrainingDivergedException>(() => guard.Take(Step(1, double.NaN, double.NaN) with { Scale = 65536 }, null));
    }

    [Fact]
    public void Metrics_TellTheScaleAndWhatWasLeftOut_WhereThatMayBe()
    {
        Assert.Empty(new NonFiniteGuard(new NonFiniteOptions(), null).Metrics(double.NaN));
        var guard = new NonFiniteGuard(new NonFiniteOptions(), Scaling);
        guard.Take(Step(1, 0.5, double.NaN) with { Scale = 65536 }, null);
        Assert.Equal([new("loss_scale", 65536), new("skipped_steps", 1)], guard.Metrics(65536));
    }

    private static LaunchedStep Step(int step, double loss, double norm) => new()
    {
        After = new RunPosition(1, step, step), Images = ["a.png", "b.png"], Losses = [0.25, loss], Norm = norm,
    };
}
