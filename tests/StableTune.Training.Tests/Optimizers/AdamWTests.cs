using System.Text.Json;
using StableTune.Optimizers;
using StableTune.Testing;

namespace StableTune.Training.Tests;

public sealed class AdamWTests
{
    private static readonly JsonElement Cases = JsonDocument.Parse(File.ReadAllText(Fixtures.Path("optim", "cases.json"))).RootElement;
    private static readonly string[] TextNames = ["te_vec", "te_mat"], UNetNames = ["vec", "mat", "conv"];

    [Theory]
    [InlineData("default")]
    [InlineData("betas_wd_eps")]
    [InlineData("amsgrad")]
    [InlineData("scheduled")]
    public void Step_FollowsTheReferenceTrajectory(string name)
    {
        var reference = Cases.GetProperty("cases").EnumerateArray().Single(c => c.GetProperty("optimizer").GetString() == "AdamW" && c.GetProperty("case").GetString() == name);
        using var inputs = Golden.Open("optim", "inputs.safetensors");
        using var golden = Golden.Open("optim", "adamw.safetensors");
        using var scope = NewDisposeScope();
        using var run = new Run(inputs, Options(reference.GetProperty("args")), reference.GetProperty("lr_text_encoder").GetDouble(), reference.GetProperty("lr_unet").GetDouble());
        var multipliers = reference.GetProperty("lr_multiplier_per_step");
        var tolerance = reference.GetProperty("tolerance_relative_to_tensor_max").GetDouble();

        for (var step = 1; step <= 20; step++)
        {
            run.Step(step, multipliers.ValueKind == JsonValueKind.Null ? 1 : multipliers[step - 1].GetDouble());
            if (step is not (1 or 5 or 10 or 15 or 20)) continue;
            foreach (var (parameter, value) in run.Parameters) golden.AssertClose($"{name}/step{step:D2}/{parameter}", value, tolerance, relativeToMax: true);
        }
    }

    /// <summary>Forms of the reference's own files.</summary>
    [Fact]
    public void ReferenceName_HasOnlyWhatDiffers_AsPythonWritesIt()
    {
        Assert.Equal("torch.optim.adamw.AdamW", new AdamWOptions().ReferenceName);
        Assert.Equal("torch.optim.adamw.AdamW(weight_decay=0.1,betas=(0.9, 0.99))", new AdamWOptions { WeightDecay = 0.1, Beta2 = 0.99 }.ReferenceName);
        Assert.Equal("torch.optim.adamw.AdamW(weight_decay=1.0,eps=1e-06,amsgrad=True)", new AdamWOptions { WeightDecay = 1, Epsilon = 1e-6, AmsGrad = true }.ReferenceName);
    }

    [Fact]
    public void State_SavedAndLoaded_ContinuesBitForBit()
    {
        using var inputs = Golden.Open("optim", "inputs.safetensors");
        using var scope = NewDisposeScope();
        using var whole = new Run(inputs, new AdamWOptions { AmsGrad = true }, 0.01, 0.02);
        using var first = new Run(inputs, new AdamWOptions { AmsGrad = true }, 0.01, 0.02);
        for (var step = 1; step <= 10; step++) whole.Step(step);
        for (var step = 1; step <= 5; step++) first.Step(step);

        using var second = new Run(inputs, new AdamWOptions { AmsGrad = true }, 0.01, 0.02);
        second.Optimizer.LoadState(first.Optimizer.State);
        using (no_grad())
            foreach (var (name, value) in second.Parameters) value.copy_(first.Parameters[name]);
        for (var step = 6; step <= 10; step++) second.Step(step);

        foreach (var (name, value) in second.Parameters) Assert.Equal(whole.Parameters[name].data<float>().ToArray(), value.data<float>().ToArray());
    }

    [Fact]
    public void LoadState_OfOtherParameters_NamesTheKey()
    {
        using var inputs = Golden.Open("optim", "inputs.safetensors");
        using var scope = NewDisposeScope();
        using var run = new Run(inputs, new AdamWOptions(), 0.01, 0.02);
        var error = Assert.Throws<ArgumentException>(() => run.Optimizer.LoadState(new OptimizerState(new Dictionary<string, Tensor>(), new Dictionary<string, double>())));
        Assert.Contains("te_vec.m", error.Message);
    }

    [Fact]
    public void Step_LeavesNoTensorBehind_AndSkipsParametersWithoutGradient()
    {
        using var inputs = Golden.Open("optim", "inputs.safetensors");
        using var scope = NewDisposeScope();
        using var run = new Run(inputs, new AdamWOptions(), 0.01, 0.02);
        run.Step(1);
        foreach (var value in run.Parameters.Values) value.grad = null;
        var before = TensorCount.Live;
        var weights = run.Parameters["mat"].data<float>().ToArray();
        run.Optimizer.Step([0.01, 0.02]);
        Assert.Equal(before, TensorCount.Live);
        Assert.Equal(weights, run.Parameters["mat"].data<float>().ToArray());
    }

    [Fact]
    public void Step_OfAParameterThatMissedGradients_IsCountedForItself()
    {
        // As torch does: the first step of a tensor moves each element by the learning rate, however late it comes.
        using var scope = NewDisposeScope();
        using var late = tensor(new[] { 1f, 2f }).requires_grad_();
        using var always = tensor(new[] { 1f, 2f }).requires_grad_();
        using var optimizer = new AdamWOptions { WeightDecay = 0 }.Create([new ParameterGroup("all", [new NamedParameter("late", late), new NamedParameter("always", always)], 0.1)]);
        for (var step = 0; step < 5; step++)
        {
            always.grad = tensor(new[] { 0.5f, -0.5f });
            late.grad = step == 4 ? tensor(new[] { 0.5f, -0.5f }) : null;
            optimizer.Step([0.1]);
        }

        Assert.Equal([0.9f, 2.1f], late.data<float>().ToArray(), new Tolerance(1e-6f));
        Assert.Equal((1.0, 5.0), (optimizer.State.Scalars["late.step"], optimizer.State.Scalars["always.step"]));
    }

    private sealed class Tolerance(float most) : IEqualityComparer<float>
    {
        public bool Equals(float x, float y) => Math.Abs(x - y) <= most;

        public int GetHashCode(float value) => 0;
    }

    [Fact]
    public void Validate_NamesEachOptionOutOfRange()
    {
        var problems = new AdamWOptions { Beta1 = 1, Beta2 = double.NaN, Epsilon = 0, WeightDecay = -1 }.Validate().Select(p => p.Option);
        Assert.Equal(["AdamWOptions.Beta1", "AdamWOptions.Beta2", "AdamWOptions.Epsilon", "AdamWOptions.WeightDecay"], problems);
    }

    private static AdamWOptions Options(JsonElement arguments)
    {
        var options = new AdamWOptions();
        foreach (var argument in arguments.EnumerateObject())
            options = argument.Name switch
            {
                "betas" => options with { Beta1 = argument.Value[0].GetDouble(), Beta2 = argument.Value[1].GetDouble() },
                "eps" => options with { Epsilon = argument.Value.GetDouble() },
                "weight_decay" => options with { WeightDecay = argument.Value.GetDouble() },
                "amsgrad" => options with { AmsGrad = argument.Value.GetBoolean() },
                _ => throw new InvalidOperationException(argument.Name),
            };
        return options;
    }

    /// <summary>The recorded parameters with an optimizer, stepped with the recorded gradients.</summary>
    private sealed class Run : IDisposable
    {
        private readonly Golden _inputs;
        private readonly double[] _rates;

        public Run(Golden inputs, AdamWOptions options, double textRate, double unetRate)
        {
            (_inputs, _rates) = (inputs, [textRate, unetRate]);
            Parameters = TextNames.Concat(UNetNames).ToDictionary(n => n, n => inputs[$"param/{n}"].clone().requires_grad_());
            Optimizer = options.Create([Group("textencoder", TextNames, textRate), Group("unet", UNetNames, unetRate)]);
        }

        public Dictionary<string, Tensor> Parameters { get; }

        public IOptimizer Optimizer { get; }

        public void Step(int step, double multiplier = 1)
        {
            foreach (var (name, value) in Parameters) value.grad = _inputs[$"grad/{step:D2}/{name}"].clone();
            Optimizer.Step([.. _rates.Select(r => r * multiplier)]);
        }

        public void Dispose() => Optimizer.Dispose();

        private ParameterGroup Group(string name, string[] names, double rate) => new(name, [.. names.Select(n => new NamedParameter(n, Parameters[n]))], rate);
    }
}
