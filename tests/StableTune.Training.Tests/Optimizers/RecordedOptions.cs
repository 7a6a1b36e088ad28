using System.Reflection;
using System.Text.Json;
using StableTune.Optimizers;

namespace StableTune.Training.Tests;

/// <summary>The options of an optimizer from the arguments that the reference was given.</summary>
internal static class RecordedOptions
{
    /// <summary>The catalogue's names of optimizers that the reference names otherwise.</summary>
    private static readonly Dictionary<string, string> s_names = new(StringComparer.Ordinal) { ["Lion32bnb"] = "Lion" };

    /// <summary>Arguments that are no properties' names.</summary>
    private static readonly Dictionary<string, string> s_properties = new(StringComparer.Ordinal)
    {
        ["eps"] = "Epsilon", ["r"] = "StepPower", ["weight_lr_power"] = "RatePower",
    };

    /// <summary>The options of a case. What the reference does by default but we do not is said.</summary>
    public static OptimizerOptions Of(OptimizerCase recorded) => Of(recorded.Optimizer, recorded.Arguments) switch
    {
        AdaFactorOptions factor => factor with { WarmupInit = recorded.Hyperparameters.GetProperty("warmup_init").GetBoolean() },
        SGDNesterov8bitOptions nesterov => nesterov with { PlainMomentum = true },
        var others => others,
    };

    /// <summary>The options with these arguments.</summary>
    public static OptimizerOptions Of(string optimizer, JsonElement arguments)
    {
        var options = OptimizerCatalog.Default.Create(s_names.GetValueOrDefault(optimizer, optimizer));
        foreach (var argument in arguments.EnumerateObject())
        {
            // The names say it.
            if (argument.Name == "foreach" || (argument.Name == "nesterov" && options is not SGDOptions)) continue;
            if (argument.Name == "betas")
                foreach (var (beta, i) in argument.Value.EnumerateArray().Select((beta, i) => (beta, i)))
                    Set(options, $"beta{i + 1}", beta);
            else Set(options, s_properties.GetValueOrDefault(argument.Name, argument.Name), argument.Value);
        }

        return options;
    }

    private static void Set(OptimizerOptions options, string name, JsonElement value)
    {
        var property = options.GetType().GetProperty(
            name.Replace("_", "", StringComparison.Ordinal), BindingFlags.Public | BindingFlags.Instance | BindingFlags.IgnoreCase)
            ?? throw new InvalidOperationException($"{options.GetType().Name} has no {name}");
        property.SetValue(options, value.Deserialize(property.PropertyType));
    }
}
