using StableTune.Optimizers;
using StableTune.Testing;

namespace StableTune.Training.Tests;

/// <summary>What holds of every optimizer of the catalogue.</summary>
public sealed class EveryOptimizerTests
{
    public static TheoryData<string> Names => [.. OptimizerCatalog.Default.Names];

    /// <summary>Those that compute each number by itself, wherever it lies. Of a vector's last numbers libtorch's operator for Adam rounds
    /// otherwise, so those that use it on vectors are not among them.</summary>
    public static TheoryData<string> Elementwise =>
    [
        "Adam", "AdamW", "Lion", "SGD", "SGDNesterov", "Adagrad", "RMSprop", "NAdam", "RAdam", "Adamax", "ASGD", "Rprop",
    ];

    [Theory]
    [MemberData(nameof(Names))]
    public void State_SavedAndLoaded_ContinuesBitForBit(string name)
    {
        using var scope = NewDisposeScope();
        var (recorded, options) = (OptimizerCase.Of("AdamW8bit", "default"), OptimizerCatalog.Default.Create(name));
        using var whole = new RecordedRun(recorded, options);
        using var first = new RecordedRun(recorded, options);
        using var second = new RecordedRun(recorded, options);
        whole.Steps(1, 10);
        first.Steps(1, 5);
        second.ContinueFrom(first);
        second.Steps(6, 10);
        second.AssertSame(whole);
        Assert.Equal(whole.Optimizer.EffectiveRates, second.Optimizer.EffectiveRates);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Step_OfHalfPrecision_KeepsItsType_AndMoves(string name)
    {
        using var scope = NewDisposeScope();
        var weight = randn([64, 80], generator: new Generator(7)).to(ScalarType.BFloat16).requires_grad_();
        var before = GoldenComparison.Floats(weight);
        using var optimizer = Options(name).Create([new ParameterGroup("all", [new NamedParameter("w", weight)], 0.1)]);
        for (var step = 0; step < 10; step++)
        {
            weight.grad = full_like(weight, 0.5);
            optimizer.Step(new StepInfo([0.1], step));
        }

        Assert.Equal(ScalarType.BFloat16, weight.dtype);
        Assert.NotEqual(before, GoldenComparison.Floats(weight));
        Assert.All(GoldenComparison.Floats(weight), number => Assert.True(float.IsFinite(number)));
    }

    /// <summary>A quadratic whose least value lies at 0.</summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void Steps_DownASlope_GoDown(string name)
    {
        using var scope = NewDisposeScope();
        var weight = full([4, 5], 1.0).requires_grad_();
        using var optimizer = Options(name).Create([new ParameterGroup("all", [new NamedParameter("w", weight)], 0.02)]);
        for (var step = 0; step < 60; step++)
        {
            weight.grad = weight.detach().clone();
            optimizer.Step(new StepInfo([0.02], step));
        }

        Assert.All(GoldenComparison.Floats(weight), number => Assert.InRange(number, -0.9999f, 0.9999f));
    }

    [Theory]
    [MemberData(nameof(Elementwise))]
    public void Step_IsTheSame_WhetherParametersGoTogetherOrAlone(string name)
    {
        using var scope = NewDisposeScope();
        long[][] shapes = [[7, 30], [5], [100, 1000], [3, 4, 3, 3]];
        Tensor[] starts = [.. shapes.Select((shape, i) => randn(shape, generator: new Generator((ulong)i)))];
        Tensor[] together = [.. starts.Select(start => start.clone().requires_grad_())];
        Tensor[] alone = [.. starts.Select(start => start.clone().requires_grad_())];
        var options = OptimizerCatalog.Default.Create(name);
        using var one = options.Create([new ParameterGroup("all", [.. together.Select((w, i) => new NamedParameter($"{i}", w))], 0.01)]);
        IOptimizer[] many = [.. alone.Select(w => options.Create([new ParameterGroup("all", [new NamedParameter("w", w)], 0.01)]))];
        for (var step = 0; step < 6; step++)
        {
            for (var i = 0; i < shapes.Length; i++)
            {
                // The second has no gradient in one step: from then on the vector has a gap.
                var gradient = step == 2 && i == 1 ? null : randn(shapes[i], generator: new Generator((ulong)(100 + (step * 10) + i)));
                (together[i].grad, alone[i].grad) = (gradient, gradient?.clone());
            }

            one.Step(new StepInfo([0.01], step));
            foreach (var optimizer in many) optimizer.Step(new StepInfo([0.01], step));
        }

        for (var i = 0; i < shapes.Length; i++) Assert.Equal(GoldenComparison.Floats(alone[i]), GoldenComparison.Floats(together[i]));
        foreach (var optimizer in many) optimizer.Dispose();
    }

    /// <summary>On a CPU many go through memory by themselves; what they do there must be what operators do elsewhere.</summary>
    [Theory]
    [InlineData(ScalarType.Float32, 1)]
    [InlineData(ScalarType.Float32, 2)]
    [InlineData(ScalarType.BFloat16, 1)]
    public void Step_InTheHostsMemory_IsThatOfOperators(ScalarType type, int threads)
    {
        var usual = get_num_threads();
        try
        {
            set_num_threads(threads);
            Assert.True(OptimizerCatalog.Default.Names.Count(name => HostIsThatOfOperators(name, type)) >= 30);
        }
        finally
        {
            set_num_threads(usual);
        }
    }

    private static bool HostIsThatOfOperators(string name, ScalarType type)
    {
        using var scope = NewDisposeScope();
        // Large enough for several threads, for numbers in eight bits, and with a last register that is not full.
        long[][] shapes = [[7, 30], [400, 401], [3, 4, 3, 3], [29]];
        Tensor[] starts = [.. shapes.Select((shape, i) => randn(shape, generator: new Generator((ulong)i)).to(type))];
        var (host, operators) = (starts.Select(start => start.clone().requires_grad_()).ToArray(),
            starts.Select(start => start.clone().requires_grad_()).ToArray());
        using var first = Options(name).Create([Group(host)]);
        using var second = Options(name).Create([Group(operators)]);
        if (second is not StatefulOptimizer stateful) return false;
        stateful.UsesOperators = true;
        for (var step = 0; step < 6; step++)
        {
            for (var i = 0; i < shapes.Length; i++)
            {
                var gradient = randn(shapes[i], generator: new Generator((ulong)(100 + (step * 10) + i))).to(type);
                (host[i].grad, operators[i].grad) = (gradient, gradient.clone());
            }

            first.Step(new StepInfo([0.01], step));
            second.Step(new StepInfo([0.01], step));
        }

        // Eight bits may fall on the other side of a boundary, and so may half precision.
        var tolerance = type == ScalarType.BFloat16 ? 0.02 : name.Contains("8bit", StringComparison.Ordinal) ? 1e-3 : 2e-6;
        for (var i = 0; i < shapes.Length; i++)
        {
            Assert.Equal(type, host[i].dtype);
            var difference = (host[i].to(ScalarType.Float32) - operators[i].to(ScalarType.Float32)).abs().max().item<float>();
            Assert.True(difference <= tolerance * starts[i].to(ScalarType.Float32).abs().max().item<float>(), $"{name}: {difference}");
        }

        return true;

        static ParameterGroup Group(Tensor[] weights) => new("all", [.. weights.Select((w, i) => new NamedParameter($"{i}", w))], 0.01);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Dispose_FreesEverything(string name)
    {
        var before = HeldTensors.Before();
        using (var scope = NewDisposeScope())
        using (var run = new RecordedRun(OptimizerCase.Of("AdamW8bit", "default"), OptimizerCatalog.Default.Create(name)))
        {
            run.Steps(1, 2);
            using (run.Optimizer.UseEvaluationWeights()) Assert.True(TensorCount.Live > before);
        }

        Assert.Equal(before, TensorCount.Live);
    }

    /// <summary>Those that have a weight decay.</summary>
    public static TheoryData<string> Decaying => [.. OptimizerCatalog.Default.Names.Where(name =>
        OptimizerCatalog.Default.Create(name).GetType().GetProperty("WeightDecay") is not null)];

    [Theory]
    [MemberData(nameof(Decaying))]
    public void Step_TakesAGroupsOwnWeightDecay(string name)
    {
        using var scope = NewDisposeScope();
        Assert.Equal(AfterSteps(Options(name), 0.3), AfterSteps(Decayed(Options(name), 0.3), null));
        Assert.NotEqual(AfterSteps(Options(name), 0.3), AfterSteps(Options(name), 0));

        static float[] AfterSteps(OptimizerOptions options, double? decay)
        {
            using var weight = full([4, 5], 2.0).requires_grad_();
            var group = new ParameterGroup("all", [new NamedParameter("w", weight)], 0.1) { WeightDecay = decay };
            using var optimizer = options.Create([group]);
            // RAdamScheduleFree only learns the second moment in the first ones.
            for (var step = 0; step < 8; step++)
            {
                weight.grad = linspace(-1, 2, 20).view(4, 5);
                optimizer.Step(new StepInfo([0.1], step));
            }

            return GoldenComparison.Floats(weight);
        }
    }

    private static OptimizerOptions Decayed(OptimizerOptions options, double decay)
    {
        using var json = System.Text.Json.JsonDocument.Parse(FormattableString.Invariant($"{{\"weight_decay\":{decay}}}"));
        return OptionsByName.With(options, json.RootElement);
    }

    /// <summary>Those that find their own rate begin at once where others are: from 1e-6 on they would take more steps.</summary>
    private static OptimizerOptions Options(string name) =>
        OptimizerCatalog.Default.Create(name) is var options && options is DistanceOptions own ? own with { D0 = 1 } : options;
}
