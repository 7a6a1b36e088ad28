using StableTune.Adapters;

namespace StableTune.Checkpoints;

/// <summary>What can be wrong with the models that a tool is given.</summary>
internal static class ToolModelPaths
{
    /// <summary>Problems of models that are read.</summary>
    public static IEnumerable<OptionProblem> InputProblems(IEnumerable<string> models) =>
        models.Where(string.IsNullOrWhiteSpace).Select(model => new OptionProblem("models", model, "this names no model", "give a path"));

    /// <summary>The output must be none of the models: it is written while they are read.</summary>
    public static IEnumerable<OptionProblem> OutputProblems(string output, IEnumerable<string> inputs)
    {
        if (inputs.Any(input => ToolPaths.IsSame(input, output)))
            yield return new("output", output, "this is one of the inputs", "give another path");
    }
}
