using StableTune.Optimizers;
using StableTune.Testing;

namespace StableTune.Training.Tests;

public sealed class StatefulOptimizerTests
{
    public static TheoryData<string> Kinds => [.. OptimizerCatalog.Default.Names, "shared", "before"];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Step_ThatTheDeviceKnowsFinite_IsThePlainStep_BitForBit(string kind)
    {
        using var scope = NewDisposeScope();
        using var plain = Run(kind);
        using var flagged = Run(kind);
        for (var step = 1; step <= 4; step++)
        {
            plain.Step(step);
            flagged.Step(step, tensor(true));
        }

        flagged.AssertSame(plain);
        Assert.Equal(4, RecordedRun.StepsOf(flagged.Optimizer, "mat8"));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Step_ThatTheDeviceKnowsNotFinite_ChangesNothing_AndIsTakenBack(string kind)
    {
        using var scope = NewDisposeScope();
        using var plain = Run(kind);
        using var flagged = Run(kind);
        plain.Steps(1, 2);
        flagged.Steps(1, 2);

        // Gradients that would destroy everything, and one parameter that has none.
        foreach (var value in flagged.Parameters.Values) value.grad = full_like(value, float.NaN);
        flagged.Parameters["small"].grad = null;
        flagged.Optimizer.Step(new StepInfo([0.1, 0.2], 2) { IsFinite = tensor(false) });
        flagged.AssertSame(plain);

        Assert.Equal((3, 2), (RecordedRun.StepsOf(flagged.Optimizer, "mat8"), RecordedRun.StepsOf(flagged.Optimizer, "small")));
        ((StatefulOptimizer)flagged.Optimizer).TakeBackStep(flagged.Parameters.Values.Where(value => value.grad is not null));
        Assert.All(flagged.Parameters.Keys, name => Assert.Equal(2, RecordedRun.StepsOf(flagged.Optimizer, name)));

        plain.Step(3);
        flagged.Step(3);
        flagged.AssertSame(plain);
    }

    [Theory]
    [InlineData("AdamW")]
    [InlineData("AdamW8bit")]
    public void Step_TakesAGroupsOwnWeightDecay(string kind)
    {
        using var scope = NewDisposeScope();
        Tensor[] weights = [ones(5000).requires_grad_(), ones(5000).requires_grad_(), ones(5000).requires_grad_()];
        foreach (var weight in weights) weight.grad = zeros(5000);
        using var optimizer = OptimizerCatalog.Default.Create(kind).Create(
        [
            new ParameterGroup("options", [new NamedParameter("a", weights[0])], 0.1),
            new ParameterGroup("none", [new NamedParameter("b", weights[1])], 0.1) { WeightDecay = 0 },
            new ParameterGroup("own", [new NamedParameter("c", weights[2])], 0.1) { WeightDecay = 0.5 },
        ]);
        optimizer.Step(new StepInfo([0.1, 0.1, 0.1], 0));
        // Without a gradient there is decay alone: 1 - rate · decay.
        Assert.Equal([0.999f, 1f, 0.95f], weights.Select(weight => MathF.Round(weight[0].item<float>(), 6)));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Step_OfAParameterWithoutGradient_LeavesItAlone(string kind)
    {
        using var scope = NewDisposeScope();
        using var run = Run(kind);
        // Eight steps: RAdamScheduleFree only learns the second moment in the first ones.
        run.Steps(1, 8);
        var (still, moved) = (GoldenComparison.Floats(run.Parameters["odd8"]), GoldenComparison.Floats(run.Parameters["mat8"]));
        run.Parameters["odd8"].grad = null;
        run.Optimizer.Step(new StepInfo([0.1, 0.1], 8));
        Assert.Equal(still, GoldenComparison.Floats(run.Parameters["odd8"]));
        Assert.NotEqual(moved, GoldenComparison.Floats(run.Parameters["mat8"]));
        Assert.Equal((8, 9), (RecordedRun.StepsOf(run.Optimizer, "odd8"), RecordedRun.StepsOf(run.Optimizer, "mat8")));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Step_LeavesNoTensorBehind(string kind)
    {
        using var scope = NewDisposeScope();
        using var run = Run(kind);
        using var isFinite = tensor(true);
        run.Step(1);
        var before = HeldTensors.Before();
        for (var i = 0; i < 100; i++) run.Optimizer.Step(new StepInfo([1e-3, 1e-3], i) { IsFinite = i % 2 == 0 ? isFinite : null });
        Assert.Equal(before, TensorCount.Live);
    }

    [Fact]
    public void Dispose_FreesTheSlots()
    {
        var before = HeldTensors.Before();
        using (var scope = NewDisposeScope())
        using (Run("AdamW8bit"))
            Assert.True(TensorCount.Live > before);
        Assert.Equal(before, TensorCount.Live);
    }

    [Fact]
    public void Update_OfManyElements_ComesInParts()
    {
        using var scope = NewDisposeScope();
        // 3 million elements: two go together, three would be more than 8 million. The fourth is more on its own.
        Tensor[] weights = [.. new[] { 3_000_000, 3_000_000, 3_000_000, 9_000_000, 10 }.Select(count => zeros(count).requires_grad_())];
        foreach (var weight in weights) weight.grad = weight.detach();
        NamedParameter[] parameters = [.. weights.Select((weight, i) => new NamedParameter($"{i}", weight))];
        using var optimizer = new PartCounter([new ParameterGroup("all", parameters, 0.1)]);
        optimizer.Step(new StepInfo([0.1], 0));
        Assert.Equal(["0, 1", "2", "3", "4"], optimizer.Parts);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Step_WithRatesForOtherGroups_SaysHowMany(int count)
    {
        using var scope = NewDisposeScope();
        using var run = Run("AdamW");
        var info = new StepInfo([.. Enumerable.Repeat(0.1, count)], 0);
        var fault = Assert.Throws<ArgumentException>(() => run.Optimizer.Step(info));
        Assert.Contains($"{count} learning rates are given for 2 parameter groups", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void EffectiveRates_AreTheInitialOnes_ThenThoseOfTheStep()
    {
        using var scope = NewDisposeScope();
        using var run = Run("AdamW");
        Assert.Equal(OptimizerCase.Of("AdamW8bit", "default").Rates, run.Optimizer.EffectiveRates);
        run.Step(1);
        run.Optimizer.Step(new StepInfo([0.25, 0.5], 1));
        Assert.Equal([0.25, 0.5], run.Optimizer.EffectiveRates);
    }

    private static RecordedRun Run(string kind) => new(OptimizerCase.Of("AdamW8bit", "default"), kind switch
    {
        "shared" => new NormedOptions(),
        "before" => new NormedOptions { ChangesBefore = true },
        _ => OptimizerCatalog.Default.Create(kind),
    });

    /// <summary>An optimizer with state of no parameter alone: momentum divided by a mean norm of all gradients.</summary>
    private sealed record NormedOptions : OptimizerOptions
    {
        /// <summary>Whether the momentum changes before the updates.</summary>
        public bool ChangesBefore { get; init; }

        public override IOptimizer Create(IReadOnlyList<ParameterGroup> groups) => new Normed(groups, ChangesBefore);
    }

    private sealed class Normed(IReadOnlyList<ParameterGroup> groups, bool changesBefore)
        : StatefulOptimizer(groups, OptimizerSlot.Zeros("momentum"))
    {
        private readonly Tensor _norm = zeros(1).DetachFromDisposeScope();

        protected override IEnumerable<Tensor> SharedState => [_norm];

        protected override bool ChangesBeforeUpdates => changesBefore;

        protected override void BeforeUpdates(in StepInfo info)
        {
            foreach (var parameter in All.Where(parameter => parameter.Value.grad is not null))
            {
                _norm.mul_(0.9).add_(parameter.Gradient.norm());
                if (changesBefore) parameter["momentum"].mul_(0.9).add_(parameter.Gradient);
            }
        }

        protected override void Update(OptimizerUpdate update)
        {
            foreach (var parameter in update.Parameters)
            {
                if (!changesBefore) parameter["momentum"].mul_(0.9).add_(parameter.Gradient);
                parameter.Value.sub_(parameter["momentum"] / _norm * update.LearningRate);
            }
        }

        protected override void SaveShared(StateWriter writer) => writer.Tensor("norm", _norm);

        protected override void LoadShared(StateReader reader) => reader.CopyTo("norm", _norm);

        protected override void Dispose(bool disposing)
        {
            _norm.Dispose();
            base.Dispose(disposing);
        }
    }

    private sealed class PartCounter(IReadOnlyList<ParameterGroup> groups) : StatefulOptimizer(groups)
    {
        public List<string> Parts { get; } = [];

        protected override void Update(OptimizerUpdate update) => Parts.Add(string.Join(", ", update.Parameters.Select(p => p.Name)));
    }
}
