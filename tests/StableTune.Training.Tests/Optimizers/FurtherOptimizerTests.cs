using StableTune.Optimizers;
using StableTune.Testing;

namespace StableTune.Training.Tests;

/// <summary>Optimizers that have no recorded trajectories: they are held to their papers' formulas in double precision.</summary>
public sealed class FurtherOptimizerTests
{
    private static readonly Dictionary<string, OptimizerOptions> s_kinds = new(StringComparer.Ordinal)
    {
        ["AdEMAMix"] = new AdEMAMixOptions { WeightDecay = 0.1, TAlpha = 8, TBeta3 = 12, Beta3 = 0.999 },
        ["ADOPT"] = new ADOPTOptions { WeightDecay = 0.1, Beta2 = 0.99 },
        ["ADOPT, decoupled"] = new ADOPTOptions { WeightDecay = 0.1, Decouple = true },
        ["Adan"] = new AdanOptions { WeightDecay = 0.1 },
        ["Adan, not proximal"] = new AdanOptions { WeightDecay = 0.1, NoProx = true, Beta2 = 0.8 },
        ["StableAdamW"] = new StableAdamWOptions { WeightDecay = 0.1 },
        ["CAME"] = new CAMEOptions { WeightDecay = 0.1, Beta3 = 0.99 },
        ["Muon"] = new MuonOptions(),
        ["Muon, plain"] = new MuonOptions { Nesterov = false, AdjustLrFn = MuonScale.Original },
        ["Automagic"] = new AutomagicOptions { WeightDecay = 0.1, LrBump = 1e-3, MaxLr = 1.2e-2, MinLr = 2e-3 },
    };

    public static TheoryData<string> Kinds => [.. s_kinds.Keys];

    /// <summary>Float32 against float64 over 20 steps. Muon's iteration amplifies: its polynomial has a slope of 3.4 at 0.</summary>
    [Theory]
    [MemberData(nameof(Kinds))]
    public void Step_FollowsTheFormula(string kind)
    {
        using var scope = NewDisposeScope();
        using var run = Run(kind);
        using var inputs = Golden.Open("optim", "inputs.safetensors");
        var plain = run.Parameters.ToDictionary(pair => pair.Key, pair =>
            new PlainParameter([.. GoldenComparison.Floats(pair.Value).Select(value => (double)value)], pair.Value.shape));
        var groups = run.Optimizer.Groups;
        var formula = Formula(s_kinds[kind]);
        for (var step = 1; step <= OptimizerCase.Steps; step++)
        {
            run.Step(step);
            foreach (var group in groups)
                foreach (var name in group.Parameters.Select(parameter => parameter.Name))
                    formula(plain[name], [.. inputs.Floats($"grad/{step:D2}/{name}").Select(value => (double)value)], step,
                        group.LearningRate);
            foreach (var (name, value) in run.Parameters)
                GoldenComparison.AssertCloseToLargest([.. plain[name].W.Select(weight => (float)weight)], GoldenComparison.Floats(value),
                    $"{name} after step {step}", 2e-5);
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void State_SavedAndLoaded_ContinuesBitForBit(string kind)
    {
        using var scope = NewDisposeScope();
        using var whole = Run(kind);
        using var first = Run(kind);
        using var second = Run(kind);
        whole.Steps(1, 10);
        first.Steps(1, 5);
        second.ContinueFrom(first);
        second.Steps(6, 10);
        second.AssertSame(whole);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Step_ThatTheDeviceKnowsNotFinite_ChangesNothing(string kind)
    {
        using var scope = NewDisposeScope();
        using var plain = Run(kind);
        using var flagged = Run(kind);
        plain.Steps(1, 2);
        flagged.Step(1, tensor(true));
        flagged.Step(2, tensor(true));
        flagged.AssertSame(plain);
        foreach (var value in flagged.Parameters.Values) value.grad = full_like(value, float.NaN);
        flagged.Optimizer.Step(new StepInfo([0.1, 0.2], 2) { IsFinite = tensor(false) });
        flagged.AssertSame(plain);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Step_LeavesNoTensorBehind(string kind)
    {
        using var scope = NewDisposeScope();
        using var run = Run(kind);
        run.Step(1);
        var before = HeldTensors.Before();
        for (var i = 0; i < 20; i++) run.Optimizer.Step(new StepInfo([1e-3, 1e-3], i));
        Assert.Equal(before, TensorCount.Live);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Step_ApproachesTheLeastOfAQuadratic(string kind)
    {
        using var scope = NewDisposeScope();
        var target = randn(6, 8, generator: new Generator(5));
        using var weight = zeros(6, 8).requires_grad_();
        using var optimizer = NoDecay(s_kinds[kind]).Create([new ParameterGroup("all", [new NamedParameter("w", weight)], 2e-2)]);
        for (var step = 0; step < 800; step++)
        {
            using var inner = NewDisposeScope();
            weight.grad = weight.detach() - target;
            optimizer.Step(new StepInfo([2e-2 * Math.Min(1, (800 - step) / 400.0)], step));
        }

        var error = (weight.detach() - target).pow(2).mean().item<float>();
        Assert.True(error < 0.02 * target.pow(2).mean().item<float>(), $"{kind}: {error}");
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Step_OfHalfPrecisionWeights_IsTheFloat32Step_Rounded(string kind)
    {
        using var scope = NewDisposeScope();
        var start = randn(8, 8, generator: new Generator(1)).to(ScalarType.BFloat16);
        using var half = start.clone().requires_grad_();
        using var single = start.to(ScalarType.Float32).requires_grad_();
        var gradient = randn(8, 8, generator: new Generator(2)).to(ScalarType.BFloat16);
        foreach (var weight in new[] { half, single })
        {
            weight.grad = gradient.to(weight.dtype);
            using var optimizer = s_kinds[kind].Create([new ParameterGroup("all", [new NamedParameter("w", weight)], 1e-2)]);
            optimizer.Step(new StepInfo([1e-2], 0));
        }

        Assert.Equal(GoldenComparison.Floats(single.detach().to(ScalarType.BFloat16)), GoldenComparison.Floats(half));
    }

    [Fact]
    public void Muon_StepsOfAMatrix_AreNearlyOrthogonal()
    {
        using var scope = NewDisposeScope();
        foreach (var shape in new long[][] { [6, 20], [20, 6], [8, 2, 3, 3] })
        {
            using var weight = zeros(shape).requires_grad_();
            weight.grad = randn(shape, generator: new Generator(7));
            using var optimizer = new MuonOptions { AdjustLrFn = MuonScale.Original, WeightDecay = 0 }
                .Create([new ParameterGroup("all", [new NamedParameter("w", weight)], 1)]);
            optimizer.Step(new StepInfo([1], 0));
            var matrix = weight.detach().flatten(1);
            var (rows, columns) = (matrix.shape[0], matrix.shape[1]);
            var values = GoldenComparison.Floats(linalg.svdvals(matrix / Math.Sqrt(Math.Max(1, (double)rows / columns))));
            Assert.All(values, value => Assert.InRange(value, 0.6, 1.3));
            // Along the gradient, so that the loss falls.
            Assert.True((weight.detach() * weight.grad!).sum().item<float>() < 0);
        }
    }

    [Fact]
    public void StableAdamW_OfASpike_StepsLess()
    {
        using var scope = NewDisposeScope();
        using var weight = zeros(100).requires_grad_();
        using var optimizer = new StableAdamWOptions { WeightDecay = 0 }
            .Create([new ParameterGroup("all", [new NamedParameter("w", weight)], 0.1)]);
        foreach (var step in Enumerable.Range(0, 50))
        {
            weight.grad = full(100, step % 2 == 0 ? 1e-3f : -1e-3f);
            optimizer.Step(new StepInfo([0.1], step));
        }

        var before = weight[0].item<float>();
        weight.grad = full(100, 1f);
        optimizer.Step(new StepInfo([0.1], 50));
        // AdamW would go 0.1 · (1 - β₁)/√(1 - β₂) = 0.1 here; the mean square is a hundredth of what comes, so this goes a tenth of it.
        Assert.InRange(Math.Abs(weight[0].item<float>() - before), 0.005, 0.02);
    }

    [Fact]
    public void AdEMAMix_WarmsAlphaAndBeta3Up()
    {
        var options = new AdEMAMixOptions { TAlpha = 10, TBeta3 = 10 };
        Assert.Equal([0.5, 2.5, 5, 5], new[] { 1, 5, 10, 20 }.Select(options.AlphaAt));
        Assert.Equal(0.9999, options.Beta3At(10));
        Assert.Equal(0.9999, options.Beta3At(1000));
        // Half way the half-life is the mean of both.
        var half = -1 / Math.Log(options.Beta3At(5));
        Assert.Equal(((-1 / Math.Log(0.9)) + (-1 / Math.Log(0.9999))) / 2, half, 1e-6 * half);
        Assert.Equal((5, 0.9999), (new AdEMAMixOptions().AlphaAt(1), new AdEMAMixOptions().Beta3At(1)));
    }

    [Fact]
    public void Automagic_RatesRise_WhileSignsStay_AndFallWhenTheyChange()
    {
        using var scope = NewDisposeScope();
        using var weight = zeros(2).requires_grad_();
        using var optimizer = new AutomagicOptions { LrBump = 1e-3, MaxLr = 3.5e-3 }
            .Create([new ParameterGroup("all", [new NamedParameter("w", weight)], 1e-3)]);
        List<float[]> moves = [];
        for (var step = 0; step < 4; step++)
        {
            var before = weight.detach().clone();
            weight.grad = tensor(new[] { 1f, step % 2 == 0 ? 1f : -1f });
            optimizer.Step(new StepInfo([1e-3], step));
            moves.Add(GoldenComparison.Floats(weight.detach() - before));
        }

        // At first both begin at 1e-3 and, with a positive update after "none", fall to the least rate. Then one rises.
        Assert.True(moves[1][0] < moves[0][0] && moves[2][0] < moves[1][0]);
        Assert.Equal(0, moves[3][0] - moves[2][0], 1.2e-3);
        Assert.True(Math.Abs(moves[3][1]) < 1e-4);
    }

    [Fact]
    public void Automagic_HighRate_IsWarnedOf()
    {
        ParameterGroup[] groups = [new("unet", [], 1), new("te", [], 1e-6)];
        var warning = Assert.Single(new AutomagicOptions().RateWarnings(groups));
        Assert.Contains("\"unet\" is 1: AutomagicOptions.MaxLr", warning, StringComparison.Ordinal);
    }

    [Fact]
    public void ReferenceNames_HaveOnlyWhatDiffers_AsPythonWritesIt()
    {
        Assert.Equal("bitsandbytes.optim.ademamix.AdEMAMix(betas=(0.9, 0.999, 0.99),alpha=2.0,t_alpha=100)",
            new AdEMAMixOptions { Beta3 = 0.99, Alpha = 2, TAlpha = 100 }.ReferenceName);
        Assert.Equal("pytorch_optimizer.optimizer.came.CAME(eps=(1e-30, 1e-08))",
            new CAMEOptions { Epsilon = (1e-30, 1e-8) }.ReferenceName);
        Assert.Equal("pytorch_optimizer.optimizer.adopt.ADOPT(decouple=True)", new ADOPTOptions { Decouple = true }.ReferenceName);
        Assert.Equal("torch.optim._muon.Muon(momentum=0.9)",
            new MuonOptions { Momentum = 0.9, AdjustLrFn = MuonScale.Original }.ReferenceName);
    }

    [Fact]
    public void Validate_NamesEachOptionOutOfRange()
    {
        Assert.Equal(["Beta1", "Beta2", "Beta3", "Alpha", "TAlpha", "TBeta3", "Epsilon", "WeightDecay"], Named(new AdEMAMixOptions
            { Beta1 = 0, Beta2 = 1, Beta3 = 1, Alpha = -1, TAlpha = 0, TBeta3 = -1, Epsilon = 0, WeightDecay = -1 }));
        Assert.Equal(["Beta1", "Beta2", "Epsilon", "WeightDecay"],
            Named(new ADOPTOptions { Beta1 = 1, Beta2 = 1, Epsilon = 0, WeightDecay = -1 }));
        Assert.Equal(["Beta1", "Beta2", "Beta3", "Epsilon", "WeightDecay"],
            Named(new AdanOptions { Beta1 = 1, Beta2 = 1, Beta3 = 1, Epsilon = 0, WeightDecay = -1 }));
        Assert.Equal(["Beta1", "Beta2", "Epsilon", "WeightDecay"],
            Named(new StableAdamWOptions { Beta1 = 1, Beta2 = 1, Epsilon = 0, WeightDecay = -1 }));
        Assert.Equal(["Beta1", "Beta2", "Beta3", "Epsilon", "ClipThreshold", "WeightDecay"], Named(new CAMEOptions
            { Beta1 = 1, Beta2 = 1, Beta3 = 1, Epsilon = (1, 0), ClipThreshold = 0, WeightDecay = -1 }));
        Assert.Equal(["Momentum", "NsSteps", "AdjustLrFn", "WeightDecay", "Beta1", "Beta2", "Epsilon"], Named(new MuonOptions
            { Momentum = 1, NsSteps = 0, AdjustLrFn = (MuonScale)7, WeightDecay = -1, Beta1 = 1, Beta2 = 1, Epsilon = 0 }));
        Assert.Equal(["MinLr", "MaxLr", "LrBump", "Beta2", "Epsilon", "ClipThreshold", "WeightDecay"], Named(new AutomagicOptions
            { MinLr = 0, MaxLr = -1, LrBump = 0, Beta2 = 1, Epsilon = 0, ClipThreshold = 0, WeightDecay = -1 }));

        static IEnumerable<string> Named(OptimizerOptions options) => options.Validate().Select(problem => problem.Option.Split('.')[^1]);
    }

    private static RecordedRun Run(string kind) =>
        new(OptimizerCase.Of("Prodigy", "default") with { OtherRates = [5e-3, 1e-2] }, s_kinds[kind]);

    private static OptimizerOptions NoDecay(OptimizerOptions options) => options switch
    {
        AdEMAMixOptions o => o with { WeightDecay = 0, Alpha = 0.5 },
        ADOPTOptions o => o with { WeightDecay = 0 },
        AdanOptions o => o with { WeightDecay = 0 },
        StableAdamWOptions o => o with { WeightDecay = 0 },
        CAMEOptions o => o with { WeightDecay = 0 },
        MuonOptions o => o with { WeightDecay = 0 },
        AutomagicOptions o => o with { WeightDecay = 0 },
        _ => throw new InvalidOperationException(options.ReferenceName),
    };

    private static PlainStep Formula(OptimizerOptions options) => options switch
    {
        AdEMAMixOptions o => (p, g, t, lr) => PlainFormulas.AdEMAMix(o, p, g, t, lr),
        ADOPTOptions o => (p, g, t, lr) => PlainFormulas.ADOPT(o, p, g, t, lr),
        AdanOptions o => (p, g, t, lr) => PlainFormulas.Adan(o, p, g, t, lr),
        StableAdamWOptions o => (p, g, t, lr) => PlainFormulas.StableAdamW(o, p, g, t, lr),
        CAMEOptions o => (p, g, t, lr) => PlainFormulas.CAME(o, p, g, t, lr),
        MuonOptions o => (p, g, t, lr) => PlainFormulas.Muon(o, p, g, t, lr),
        AutomagicOptions o => (p, g, t, lr) => PlainFormulas.Automagic(o, p, g, t, lr),
        _ => throw new InvalidOperationException(options.ReferenceName),
    };
}
