using System.Reflection;
using System.Text.Json;
using StableTune.Optimizers;

namespace StableTune.Training.Tests;

/// <summary>Options with the arguments of a recorded case, by the references' names.</summary>
internal static class OptionsByName
{
    public static OptimizerOptions With(OptimizerOptions options, JsonElement arguments)
    {
        // A copy, whose properties may then be set: what "with" does, for a type that is known only when it runs.
        var copy = (OptimizerOptions)options.GetType().GetMethod("<Clone>$")!.Invoke(options, null)!;
        foreach (var (name, value) in arguments.EnumerateObject().SelectMany(Single))
        {
            var property = copy.GetType().GetProperty(name.Replace("_", "", StringComparison.Ordinal),
                BindingFlags.IgnoreCase | BindingFlags.Public | BindingFlags.Instance) ?? throw new InvalidOperationException(name);
            property.SetValue(copy, value.Deserialize(property.PropertyType));
        }

        return copy;
    }

    private static IEnumerable<(string Name, JsonElement Value)> Single(JsonProperty argument) => argument.Name switch
    {
        "betas" => argument.Value.EnumerateArray().Select((beta, i) => ($"beta{i + 1}", beta)),
        "eps" => [("epsilon", argument.Value)],
        _ => [(argument.Name, argument.Value)],
    };
}
