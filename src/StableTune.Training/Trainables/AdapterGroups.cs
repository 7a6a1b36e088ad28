using StableTune.Adapters;
using StableTune.Optimizers;

namespace StableTune.Trainables;

/// <summary>The groups in which the weights of adapters are given to the optimizer: those of one rate together.</summary>
internal static class AdapterGroups
{
    /// <summary>The ending of groups that LoRA+ trains faster, as the reference has it.</summary>
    private const string Plus = " plus";

    /// <summary>The groups, in the order of the adapters.</summary>
    /// <param name="options">Says the rates.</param>
    /// <param name="plan">Says the rates that the options leave open.</param>
    /// <param name="network">The adapters.</param>
    /// <param name="isSdxl">Whether the model is SDXL.</param>
    public static IReadOnlyList<ParameterGroup> Of(AdapterTrainableOptions options, TrainingPlan plan, AdapterNetwork network, bool isSdxl)
    {
        // Of two trainables the names must differ.
        var (prefix, owner) = options.Name is { } own ? (own + ".", own + " ") : ("", "");
        var groups = new OrderedDictionary<string, (double Rate, List<NamedParameter> Parameters)>(StringComparer.Ordinal);
        foreach (var adapter in network.Adapters)
            foreach (var (name, parameter) in adapter.named_parameters().Where(entry => entry.parameter.requires_grad))
            {
                var (group, rate) = options.RateOf(plan, adapter, name, isSdxl);
                groups.TryAdd(group, (rate, []));
                groups[group].Parameters.Add(new NamedParameter($"{prefix}{adapter.Layer.Name}.{name}", parameter));
            }

        return [.. Paired(groups.Keys).Select(name => new ParameterGroup(owner + name, groups[name].Parameters, groups[name].Rate))];
    }

    /// <summary>Each group right before its faster one.</summary>
    private static IEnumerable<string> Paired(IReadOnlyCollection<string> names) =>
        names.Where(name => !name.EndsWith(Plus, StringComparison.Ordinal) || !names.Contains(name[..^Plus.Length]))
            .SelectMany(name => names.Contains(name + Plus) ? new[] { name, name + Plus } : [name]);
}
