using System.Text.Json;
using StableTune.Optimizers;
using StableTune.Testing;

namespace StableTune.Training.Tests;

/// <summary>D-Adaptation in all its kinds, and Prodigy.</summary>
public sealed class DistanceOptimizerTests
{
    /// <summary>d and the sums it comes from, relative (README of the fixtures).</summary>
    private const double DistanceTolerance = 1e-4;

    private static readonly string[] s_kinds =
        ["DAdaptAdam", "DAdaptAdamPreprint", "DAdaptAdaGrad", "DAdaptAdan", "DAdaptAdanIP", "DAdaptLion", "DAdaptSGD", "Prodigy"];

    public static TheoryData<string> Kinds => [.. s_kinds];

    public static TheoryData<string, string> Cases
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (var kind in s_kinds)
                foreach (var row in OptimizerCase.NamesOf(kind)) data.Add(kind, row);
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Step_FollowsTheReferenceTrajectory(string kind, string name)
    {
        var recorded = WithRatesOfTheReference(OptimizerCase.Of(kind, name), kind);
        using var golden = Golden.Open("optim", recorded.Trajectory);
        using var scope = NewDisposeScope();
        using var run = new RecordedRun(recorded, OptionsByName.With(OptimizerCatalog.Default.Create(kind), recorded.Arguments));
        for (var step = 1; step <= OptimizerCase.Steps; step++)
        {
            run.Step(step);
            AssertNumbers((DistanceOptimizer)run.Optimizer, recorded.Row.GetProperty("per_step")[step - 1].GetProperty("groups")[0], step);
            if (!OptimizerCase.RecordedSteps.Contains(step)) continue;
            foreach (var (parameter, value) in run.Parameters)
                golden.AssertClose($"{name}/step{step:D2}/{parameter}", value, recorded.Tolerance, relativeToMax: true);
        }
    }

    /// <summary>
    /// Tensors that had no gradient in the first step are updated apart from the others of their group, in two parts; it is as if each
    /// tensor
    /// had a group of its own.
    /// </summary>
    [Theory]
    [MemberData(nameof(Kinds))]
    public void Step_OfAGroupInSeveralParts_IsThatOfSeveralGroups(string kind)
    {
        using var scope = NewDisposeScope();
        using var random = new Generator(4);
        Tensor[] starts = [.. Enumerable.Range(0, 4).Select(_ => randn(10, generator: random))];
        Tensor[] together = [.. starts.Select(start => start.clone().requires_grad_())];
        Tensor[] apart = [.. starts.Select(start => start.clone().requires_grad_())];
        var options = Options(kind) with { D0 = 1e-2 };
        using var one = options.Create(
            [new ParameterGroup("all", [.. together.Select((weight, i) => new NamedParameter($"{i}", weight))], 1)]);
        using var many = options.Create(Groups(apart, [1, 1, 1, 1]));
        for (var step = 0; step < 6; step++)
        {
            for (var i = 0; i < starts.Length; i++)
            {
                var gradient = step == 0 && i > 1 ? null : randn(10, generator: random);
                (together[i].grad, apart[i].grad) = (gradient?.clone(), gradient?.clone());
            }

            one.Step(new StepInfo([1], step));
            many.Step(new StepInfo([1, 1, 1, 1], step));
        }

        for (var i = 0; i < starts.Length; i++)
            GoldenComparison.AssertClose($"{kind} {i}", apart[i].detach(), together[i].detach(), 1e-5);
    }

    /// <summary>Every kind takes rates that differ, which five of the references refuse.</summary>
    [Theory]
    [MemberData(nameof(Kinds))]
    public void Step_WithAGroupAtHalfTheRate_MovesItHalfAsFar(string kind)
    {
        using var scope = NewDisposeScope();
        using var random = new Generator(3);
        Tensor[] weights = [.. new[] { 1.0, 0.5, 0 }.Select(_ => zeros(40).requires_grad_())];
        using var optimizer = (Options(kind) with { D0 = 1e-2, WeightDecay = 0 }).Create(Groups(weights, [1, 0.5, 0]));
        for (var step = 0; step < 8; step++)
        {
            var gradient = randn(40, generator: random) + 1;
            foreach (var weight in weights) weight.grad = gradient.clone();
            optimizer.Step(new StepInfo([1, 0.5, 0], step));
        }

        var (whole, half) = (GoldenComparison.Floats(weights[0]), GoldenComparison.Floats(weights[1]));
        Assert.All(whole, value => Assert.True(Math.Abs(value) > 1e-3));
        GoldenComparison.AssertCloseToLargest([.. whole.Select(value => value / 2)], half, "half", 1e-5);
        Assert.All(GoldenComparison.Floats(weights[2]), value => Assert.Equal(0, value));
    }

    /// <summary>Rates that references refuse, or don't look at, are taken here.</summary>
    [Fact]
    public void Errors_OfTheReferences_AreNoneHere()
    {
        var rows = OptimizerCase.Errors.Where(row => s_kinds.Contains(row.GetProperty("optimizer").GetString())).ToList();
        Assert.True(rows.Count >= s_kinds.Length);
        foreach (var row in rows)
        {
            using var scope = NewDisposeScope();
            var kind = row.GetProperty("optimizer").GetString()!;
            // A rate for all, or one for each part.
            double[] rates = row.TryGetProperty("lr", out var rate) ? [rate.GetDouble(), rate.GetDouble()]
                : [row.GetProperty("lr_text_encoder").GetDouble(), row.GetProperty("lr_unet").GetDouble()];
            using var run = new RecordedRun(OptimizerCase.Of(kind, "default") with { OtherRates = rates }, Options(kind) with { D0 = 0.1 });
            using var inputs = Golden.Open("optim", "inputs.safetensors");
            run.Steps(1, 2);
            foreach (var (name, value) in run.Parameters)
            {
                var (before, after) = (inputs.Floats($"param/{name}"), GoldenComparison.Floats(value));
                Assert.Equal(rates.Max() > 0, !before.SequenceEqual(after));
                Assert.All(after, number => Assert.True(float.IsFinite(number)));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Step_WithAllRatesAt0_ChangesNothing(string kind)
    {
        using var scope = NewDisposeScope();
        using var run = Run(kind);
        using var other = Run(kind);
        run.Steps(1, 3);
        other.ContinueFrom(run);
        foreach (var value in run.Parameters.Values) value.grad = ones_like(value);
        run.Optimizer.Step(new StepInfo([0, 0], 3));
        foreach (var (name, value) in run.Parameters)
            Assert.Equal(GoldenComparison.Floats(other.Parameters[name]), GoldenComparison.Floats(value));
        Assert.Equal(Numbers(other.Optimizer), Numbers(run.Optimizer));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Step_WithoutAnyGradientYet_IsLeftOut(string kind)
    {
        using var scope = NewDisposeScope();
        using var weight = ones(10).requires_grad_();
        using var optimizer = OptimizerCatalog.Default.Create(kind).Create(Groups([weight], [1]));
        for (var step = 0; step < 3; step++)
        {
            weight.grad = zeros(10);
            optimizer.Step(new StepInfo([1], step));
        }

        Assert.All(GoldenComparison.Floats(weight), value => Assert.Equal(1, value));
        Assert.Equal([1e-6], optimizer.EffectiveRates.Select(rate => Math.Round(rate, 12)));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Step_FindsItsRate_WhateverTheScaleOfTheProblem(string kind)
    {
        using var scope = NewDisposeScope();
        var target = linspace(-2, 3, 20);
        using var weight = zeros(20).requires_grad_();
        // Without noise in the gradients the inner products of AdanIP make d too large at once.
        var growth = kind == "DAdaptAdanIP" ? 1.02 : double.PositiveInfinity;
        using var optimizer = (Options(kind) with { GrowthRate = growth }).Create(Groups([weight], [1]));
        for (var step = 0; step < 1000; step++)
        {
            using var inner = NewDisposeScope();
            weight.grad = weight.detach() - target;
            optimizer.Step(new StepInfo([Math.Min(1, (1000 - step) / 300.0)], step));
        }

        var error = (weight.detach() - target).pow(2).mean().item<float>();
        Assert.True(error < 0.01 * target.pow(2).mean().item<float>(), $"{kind}: {error}");
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
        Assert.Equal(whole.Optimizer.EffectiveRates, second.Optimizer.EffectiveRates);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Step_ThatTheDeviceKnowsNotFinite_ChangesNeitherWeightsNorD(string kind)
    {
        using var scope = NewDisposeScope();
        using var plain = Run(kind);
        using var flagged = Run(kind);
        plain.Steps(1, 3);
        for (var step = 1; step <= 3; step++) flagged.Step(step, tensor(true));
        flagged.AssertSame(plain);

        foreach (var value in flagged.Parameters.Values) value.grad = full_like(value, float.NaN);
        flagged.Optimizer.Step(new StepInfo([1, 1], 3) { IsFinite = tensor(false) });
        flagged.AssertSame(plain);
        ((StatefulOptimizer)flagged.Optimizer).TakeBackStep(flagged.Parameters.Values);
        plain.Step(4);
        flagged.Step(4);
        flagged.AssertSame(plain);
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
        for (var i = 0; i < 30; i++)
        {
            run.Optimizer.Step(new StepInfo([1, 0.5], i) { IsFinite = i % 2 == 0 ? isFinite : null });
            _ = run.Optimizer.EffectiveRates;
        }

        Assert.Equal(before, TensorCount.Live);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Dispose_FreesEverything(string kind)
    {
        var before = HeldTensors.Before();
        using (NewDisposeScope())
        using (Run(kind))
            Assert.True(TensorCount.Live > before);
        Assert.Equal(before, TensorCount.Live);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Step_OfHalfPrecisionWeights_IsTheFloat32Step_Rounded(string kind)
    {
        using var scope = NewDisposeScope();
        var start = randn(64, generator: new Generator(1)).to(ScalarType.BFloat16);
        using var half = start.clone().requires_grad_();
        using var single = start.to(ScalarType.Float32).requires_grad_();
        var gradient = randn(64, generator: new Generator(2)).to(ScalarType.BFloat16);
        foreach (var weight in new[] { half, single })
        {
            weight.grad = gradient.to(weight.dtype);
            using var optimizer = (Options(kind) with { D0 = 0.1 }).Create(Groups([weight], [1]));
            optimizer.Step(new StepInfo([1], 0));
        }

        Assert.Equal(GoldenComparison.Floats(single.detach().to(ScalarType.BFloat16)), GoldenComparison.Floats(half));
    }

    [Fact]
    public void EffectiveRates_AreDTimesTheRates()
    {
        using var scope = NewDisposeScope();
        using var run = Run("Prodigy");
        run.Steps(1, 6);
        run.Optimizer.Step(new StepInfo([0.25, 0.5], 6));
        var d = run.Optimizer.RateFactor!.item<double>();
        Assert.True(d > 1e-3);
        Assert.Equal([0.25 * d, 0.5 * d], run.Optimizer.EffectiveRates);
    }

    [Theory]
    [InlineData("DAdaptAdam", "dadaptation.dadapt_adam.DAdaptAdam", "decouple=True,weight_decay=0.05,betas=(0.9, 0.99),eps=1e-06,d0=0.001")]
    [InlineData("DAdaptAdamPreprint", "dadaptation.experimental.dadapt_adam_preprint.DAdaptAdamPreprint", "growth_rate=1.02")]
    [InlineData("DAdaptation", "dadaptation.experimental.dadapt_adam_preprint.DAdaptAdamPreprint", "decouple=True")]
    [InlineData("DAdaptAdaGrad", "dadaptation.dadapt_adagrad.DAdaptAdaGrad", "momentum=0.9,weight_decay=0.1,eps=1e-08")]
    [InlineData("DAdaptAdan", "dadaptation.dadapt_adan.DAdaptAdan", "weight_decay=0.0,betas=(0.9, 0.9, 0.95),no_prox=True")]
    [InlineData("DAdaptAdanIP", "dadaptation.experimental.dadapt_adan_ip.DAdaptAdanIP", "betas=(0.98, 0.9, 0.99)")]
    [InlineData("DAdaptLion", "dadaptation.dadapt_lion.DAdaptLion", "betas=(0.95, 0.98)")]
    [InlineData("DAdaptSGD", "dadaptation.dadapt_sgd.DAdaptSGD", "momentum=0.9")]
    [InlineData("Prodigy", "prodigyopt.prodigy.Prodigy",
        "decouple=False,betas=(0.9, 0.99),beta3=0.95,d_coef=2.0,use_bias_correction=True,safeguard_warmup=True,slice_p=11")]
    public void ReferenceName_HasOnlyWhatDiffers_AsPythonWritesIt(string kind, string name, string arguments)
    {
        var options = OptimizerCatalog.Default.Create(kind);
        Assert.Equal(name, options.ReferenceName);
        var pairs = arguments.Replace('(', '[').Replace(')', ']').Replace("True", "true", StringComparison.Ordinal)
            .Replace("False", "false", StringComparison.Ordinal).Replace(", ", ";", StringComparison.Ordinal).Split(',')
            .Select(pair => "\"" + pair.Replace("=", "\":", StringComparison.Ordinal).Replace(';', ','));
        using var json = JsonDocument.Parse($"{{{string.Join(",", pairs)}}}");
        Assert.Equal($"{name}({arguments})", OptionsByName.With(options, json.RootElement).ReferenceName);
    }

    [Fact]
    public void Validate_NamesEachOptionOutOfRange()
    {
        Assert.Equal(
            ["ProdigyOptions.Beta1", "ProdigyOptions.Beta2", "ProdigyOptions.Epsilon", "ProdigyOptions.D0", "ProdigyOptions.GrowthRate",
                "ProdigyOptions.WeightDecay", "ProdigyOptions.Beta3", "ProdigyOptions.DCoef", "ProdigyOptions.SliceP"],
            Named(new ProdigyOptions
            {
                Beta1 = 1, Beta2 = -1, Beta3 = 1, Epsilon = 0, D0 = 0, GrowthRate = 0.5, WeightDecay = -1, DCoef = 0, SliceP = 0,
            }));
        Assert.Equal(["DAdaptAdanOptions.Beta1", "DAdaptAdanOptions.Beta2", "DAdaptAdanOptions.Beta3", "DAdaptAdanOptions.Epsilon"],
            Named(new DAdaptAdanOptions { Beta1 = 1, Beta2 = 1, Beta3 = double.NaN, Epsilon = -1 }));
        Assert.Equal(["DAdaptSGDOptions.Momentum"], Named(new DAdaptSGDOptions { Momentum = 1 }));
        Assert.Equal(["DAdaptAdaGradOptions.Momentum", "DAdaptAdaGradOptions.Epsilon"],
            Named(new DAdaptAdaGradOptions { Momentum = -1, Epsilon = 0 }));
        Assert.Equal(["DAdaptLionOptions.Beta1", "DAdaptLionOptions.Beta2"], Named(new DAdaptLionOptions { Beta1 = 1, Beta2 = 1 }));

        static IEnumerable<string> Named(OptimizerOptions options) => options.Validate().Select(problem => problem.Option);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void RateWarnings_OfARateThatIsMeantForOthers_SayWhatToGive(string kind)
    {
        using var scope = NewDisposeScope();
        var options = OptimizerCatalog.Default.Create(kind);
        var warning = Assert.Single(options.RateWarnings(Groups([zeros(1), zeros(1)], [0.1, 1])));
        Assert.Contains("\"group 0\" is 0.1", warning, StringComparison.Ordinal);
        Assert.Contains("Give about 1.0", warning, StringComparison.Ordinal);
        Assert.Empty(options.RateWarnings(Groups([zeros(1), zeros(1)], [0.5, 0.1])));
        Assert.Empty(options.RateWarnings([]));
        Assert.False(options.StepsOneByOne);
    }

    [Fact]
    public void Prodigy_WithSlices_RemembersOnlyThose()
    {
        using var weight = zeros(100, 10).requires_grad_();
        using var all = new ProdigyOptions().Create(Groups([weight], [1]));
        using var some = new ProdigyOptions { SliceP = 11 }.Create(Groups([weight], [1]));
        // Of four numbers for each weight two are sampled: 1000, or 91 of them; d and its four sums are 8 bytes each.
        Assert.Equal((4 * 4 * 1000) + 32, ((StatefulOptimizer)all).StateBytes);
        Assert.Equal((2 * 4 * 1000) + (2 * 4 * 91) + 32, ((StatefulOptimizer)some).StateBytes);
    }

    private static DistanceOptions Options(string kind) => (DistanceOptions)OptimizerCatalog.Default.Create(kind);

    private static RecordedRun Run(string kind) =>
        new(OptimizerCase.Of(kind, "default") with { OtherRates = [0.5, 1] }, Options(kind) with { D0 = 1e-3, WeightDecay = 0.01 });

    private static ParameterGroup[] Groups(Tensor[] weights, double[] rates) =>
        [.. weights.Select((weight, i) => new ParameterGroup($"group {i}", [new NamedParameter($"w{i}", weight)], rates[i]))];

    private static double[] Numbers(IOptimizer optimizer) =>
        [.. ((DistanceOptimizer)optimizer).Numbers.Values.Select(value => value.item<double>())];

    /// <summary>
    /// The rates that the reference really uses (README of the fixtures): AdaGrad and Adan take the first group's for all, and Lion moves a
    /// group with rate 0 like the others. A layer scale is a ratio of rates here.
    /// </summary>
    private static OptimizerCase WithRatesOfTheReference(OptimizerCase recorded, string kind)
    {
        var rates = recorded.Rates;
        if (kind is "DAdaptAdaGrad" or "DAdaptAdan" or "DAdaptAdanIP") rates = [rates[0], rates[0]];
        if (kind == "DAdaptLion") rates = [rates.Max(), rates.Max()];
        if (recorded.Row.GetProperty("group_overrides_text_encoder") is { ValueKind: JsonValueKind.Object } overrides)
            rates = [rates[0] * overrides.GetProperty("layer_scale").GetDouble(), rates[1]];
        return recorded with { OtherRates = rates };
    }

    private static void AssertNumbers(DistanceOptimizer optimizer, JsonElement expected, int step)
    {
        var compared = 0;
        foreach (var (key, name) in new[]
        {
            ("d", "d"), ("d_max", "d_max"), ("d_numerator", "numerator"), ("numerator_weighted", "numerator"), ("gsq_weighted", "squares"),
            ("sksq_weighted", "paths"), ("skl1", "lengths"), ("g0_norm", "g0_norm"),
        })
        {
            if (!expected.TryGetProperty(key, out var value)) continue;
            var (wanted, found) = (value.GetDouble(), optimizer.Numbers[name].item<double>());
            Assert.True(Math.Abs(wanted - found) <= DistanceTolerance * Math.Abs(wanted), $"{key} of step {step}: {found} for {wanted}");
            compared++;
        }

        Assert.True(compared >= 2);
    }
}
