namespace StableTune.Adapters;

/// <summary>Options of a new hypernetwork, with AUTOMATIC1111's names and defaults.</summary>
public sealed record HypernetworkOptions : OptionsBase
{
    /// <summary>The name that the file holds.</summary>
    public string Name { get; init; } = "hypernetwork";

    /// <summary>
    /// Widths of the keys' and values' inputs that get modules: 320, 640, 768, 1280. Empty, the default: all that the model has.
    /// </summary>
    public IReadOnlyList<int> Widths { get; init; } = [];

    /// <summary>The widths of the modules' layers, as multiples of the input (<c>layer_structure</c>). Default 1, 2, 1.</summary>
    public IReadOnlyList<double> LayerStructure { get; init; } = [1, 2, 1];

    /// <summary>What stands between layers (<c>activation_func</c>): linear (nothing), relu, swish and so on. Default linear.</summary>
    public string Activation { get; init; } = "linear";

    /// <summary>Whether the activation follows the last layer too (<c>activate_output</c>). Default false.</summary>
    public bool ActivateOutput { get; init; }

    /// <summary>Whether each layer is normalised (<c>add_layer_norm</c>). Default false.</summary>
    public bool LayerNorm { get; init; }

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (LayerStructure.Count < 2 || LayerStructure[0] != 1 || LayerStructure[^1] != 1
            || LayerStructure.Any(part => !(part > 0 && part < 1e3)))
            yield return Problem(string.Join(", ", LayerStructure), "it must begin and end with 1, with positive numbers in between",
                "1, 2, 1 is customary", nameof(LayerStructure));
        if (!HypernetworkActivations.Known.ContainsKey(Activation))
            yield return Problem(Activation, "there is no such activation",
                $"choose {string.Join(", ", HypernetworkActivations.Known.Keys)}");
        if (Widths.Any(width => width < 1))
            yield return Problem(string.Join(", ", Widths), "a width must be positive", "320, 640, 768, 1280", nameof(Widths));
    }
}

/// <summary>The activations of AUTOMATIC1111's hypernetworks by their names in files.</summary>
internal static class HypernetworkActivations
{
    public static IReadOnlyDictionary<string, Func<Tensor, Tensor>> Known { get; } = new Dictionary<string, Func<Tensor, Tensor>>
    {
        ["linear"] = x => x,
        ["relu"] = x => nn.functional.relu(x),
        ["leakyrelu"] = x => nn.functional.leaky_relu(x, 0.01),
        ["elu"] = x => nn.functional.elu(x, 1.0),
        // Their swish is PyTorch's Hardswish.
        ["swish"] = x => nn.functional.hardswish(x),
        ["hardswish"] = x => nn.functional.hardswish(x),
        ["tanh"] = x => x.tanh(),
        ["sigmoid"] = x => x.sigmoid(),
        ["gelu"] = x => nn.functional.gelu(x),
        ["silu"] = x => nn.functional.silu(x),
    };
}
