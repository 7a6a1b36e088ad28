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

    /// <summary>Rates to be used instead of the recorded ones: the text encoder's, then the UNet's.</summary>
    public double[]? OtherRates { get; init; }

    public double[] Rates => OtherRates ?? [Row.GetProperty("lr_text_encoder").GetDouble(), Row.GetProperty("lr_unet").GetDouble()];

    /// <summary>The names of the parameters of the text encoder's group, then of the UNet's.</summary>
    public string[][] Groups
    {
        get
        {
            var groups = Root.GetProperty(Inputs == "inputs.safetensors" ? "param_groups_in_order" : "param_groups_in_order_8bit");
            return [.. groups.EnumerateObject().Select(group => group.Value.EnumerateArray().Select(name => name.GetString()!).ToArray())];
        }
    }

    public static TheoryData<string> NamesOf(string optimizer) => [.. Of(optimizer).Select(row => row.Name)];

    public static OptimizerCase Of(string optimizer, string name) => Of(optimizer).Single(row => row.Name == name);

    /// <summary>What the rates are multiplied by in a step, counted from 1.</summary>
    public double Multiplier(int step) =>
        Row.GetProperty("lr_multiplier_per_step") is { ValueKind: JsonValueKind.Array } list ? list[step - 1].GetDouble() : 1;

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

    /// <summary>All tensors that an optimizer remembers, as a state's file holds them.</summary>
    public static byte[] StateBytes(IOptimizer optimizer)
    {
        using var folder = new TemporaryFolder();
        Setup.Write(folder.File("state"), optimizer);
        return File.ReadAllBytes(Path.Combine(folder.File("state"), optimizer.Name + ".safetensors"));
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
