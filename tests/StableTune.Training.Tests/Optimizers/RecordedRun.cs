using System.Text.Json;
using StableTune.Optimizers;
using StableTune.Testing;

namespace StableTune.Training.Tests;

/// <summary>One row of the recorded trajectories: an optimizer, its arguments, and where its numbers lie.</summary>
internal sealed record OptimizerCase(JsonElement Row)
{
    private static readonly JsonElement Root = JsonDocument.Parse(File.ReadAllText(Fixtures.Path("optim", "cases.json"))).RootElement;

    public static int Steps => Root.GetProperty("steps").GetInt32();

    /// <summary>The steps after which parameters were recorded.</summary>
    public static int[] RecordedSteps => [.. Root.GetProperty("recorded_after_steps").EnumerateArray().Select(step => step.GetInt32())];

    public string Name => Row.GetProperty("case").GetString()!;

    public string Trajectory => Row.GetProperty("file").GetString()!;

    public string Inputs => Row.GetProperty("inputs").GetString()!;

    public JsonElement Arguments => Row.GetProperty("args");

    public double Tolerance => Row.GetProperty("tolerance_relative_to_tensor_max").GetDouble();

    /// <summary>The optimizer as the reference names it.</summary>
    public string Optimizer => Row.GetProperty("optimizer").GetString()!;

    /// <summary>What was passed, with all defaults.</summary>
    public JsonElement Hyperparameters => Row.GetProperty("hyperparameters_with_defaults");

    /// <summary>Rates to be used instead of the recorded ones: the text encoder's, then the UNet's.</summary>
    public double[]? OtherRates { get; init; }

    /// <summary>The rates of the groups; any number where the reference had none.</summary>
    public double[] Rates => OtherRates ?? [Rate("lr_text_encoder"), Rate("lr_unet")];

    /// <summary>What the reference's groups held after a step, counted from 1.</summary>
    public JsonElement[] GroupsAfter(int step) => [.. Row.GetProperty("per_step")[step - 1].GetProperty("groups").EnumerateArray()];

    /// <summary>The names of the parameters of the text encoder's group, then of the UNet's.</summary>
    public string[][] Groups
    {
        get
        {
            var groups = Root.GetProperty(Inputs == "inputs.safetensors" ? "param_groups_in_order" : "param_groups_in_order_8bit");
            return [.. groups.EnumerateObject().Select(group => group.Value.EnumerateArray().Select(name => name.GetString()!).ToArray())];
        }
    }

    /// <summary>What the references refuse.</summary>
    public static IEnumerable<JsonElement> Errors => Root.GetProperty("errors").EnumerateArray();

    /// <summary>All cases of these optimizers: optimizer, and name of the case.</summary>
    public static TheoryData<string, string> All(IEnumerable<string> optimizers)
    {
        var cases = new TheoryData<string, string>();
        foreach (var row in optimizers.SelectMany(Of)) cases.Add(row.Optimizer, row.Name);
        return cases;
    }

    public static TheoryData<string> NamesOf(string optimizer) => [.. Of(optimizer).Select(row => row.Name)];

    public static OptimizerCase Of(string optimizer, string name) => Of(optimizer).Single(row => row.Name == name);

    /// <summary>What the rates are multiplied by in a step, counted from 1.</summary>
    public double Multiplier(int step) =>
        Row.GetProperty("lr_multiplier_per_step") is { ValueKind: JsonValueKind.Array } list ? list[step - 1].GetDouble() : 1;

    private double Rate(string name) => Row.GetProperty(name) is { ValueKind: JsonValueKind.Number } rate ? rate.GetDouble() : 1e-3;

    private static IEnumerable<OptimizerCase> Of(string optimizer) => Root.GetProperty("cases").EnumerateArray()
        .Where(row => row.GetProperty("optimizer").GetString() == optimizer).Select(row => new OptimizerCase(row));
}

/// <summary>The recorded parameters with an optimizer, stepped with the recorded gradients.</summary>
internal sealed class RecordedRun : IDisposable
{
    private readonly OptimizerCase _case;
    private readonly Golden _inputs;

    public RecordedRun(OptimizerCase recorded, OptimizerOptions options)
    {
        (_case, _inputs) = (recorded, Golden.Open("optim", recorded.Inputs));
        Parameters = recorded.Groups.SelectMany(names => names)
            .ToDictionary(name => name, name => _inputs[$"param/{name}"].clone().requires_grad_().DetachFromDisposeScope());
        Optimizer = options.Create([.. recorded.Groups.Select((names, i) =>
            new ParameterGroup($"group {i}", [.. names.Select(name => new NamedParameter(name, Parameters[name]))], recorded.Rates[i]))]);
    }

    public Dictionary<string, Tensor> Parameters { get; }

    public IOptimizer Optimizer { get; }

    /// <param name="step">Counted from 1.</param>
    /// <param name="isFinite">What the device knows of the step; null where the host knows it.</param>
    public void Step(int step, Tensor? isFinite = null)
    {
        using var scope = NewDisposeScope();
        foreach (var (name, value) in Parameters) value.grad = _inputs[$"grad/{step:D2}/{name}"].clone();
        Optimizer.Step(new StepInfo([.. _case.Rates.Select(rate => rate * _case.Multiplier(step))], step - 1) { IsFinite = isFinite });
    }

    public void Steps(int first, int last)
    {
        for (var step = first; step <= last; step++) Step(step);
    }

    /// <summary>Takes over the weights and, through a saved state, what the other's optimizer remembers.</summary>
    public void ContinueFrom(RecordedRun other)
    {
        Setup.Copy(other.Optimizer, Optimizer);
        using var frozen = no_grad();
        foreach (var (name, value) in Parameters) value.copy_(other.Parameters[name]);
    }

    /// <summary>Fails unless weights and all that the optimizers remember are the same, bit for bit.</summary>
    public void AssertSame(RecordedRun other)
    {
        foreach (var (name, value) in Parameters)
            Assert.Equal(GoldenComparison.Floats(other.Parameters[name]), GoldenComparison.Floats(value));
        Assert.Equal(StateBytes(other.Optimizer), StateBytes(Optimizer));
    }

    /// <summary>All tensors that an optimizer remembers, as a state's file holds them; empty where it remembers none.</summary>
    public static byte[] StateBytes(IOptimizer optimizer)
    {
        using var folder = new TemporaryFolder();
        Setup.Write(folder.File("state"), optimizer);
        var file = Path.Combine(folder.File("state"), optimizer.Name + ".safetensors");
        return File.Exists(file) ? File.ReadAllBytes(file) : [];
    }

    /// <summary>The number of steps that a parameter has taken, as a state holds it.</summary>
    public static long StepsOf(IOptimizer optimizer, string parameter)
    {
        using var folder = new TemporaryFolder();
        Setup.Write(folder.File("state"), optimizer);
        using var state = SavedState.Open(folder.File("state"));
        return state.Of(optimizer.Name).Long($"{parameter}.step");
    }

    public void Dispose()
    {
        Optimizer.Dispose();
        foreach (var parameter in Parameters.Values) parameter.Dispose();
        _inputs.Dispose();
    }
}
