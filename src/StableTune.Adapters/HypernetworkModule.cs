namespace StableTune.Adapters;

/// <summary>One layer of a hypernetwork's module.</summary>
/// <param name="Index">Its number in the file, <c>linear.2</c>: activations and dropouts take numbers too.</param>
/// <param name="Inputs">Width of its input.</param>
/// <param name="Outputs">Width of its output; null for a layer norm.</param>
internal sealed record HypernetworkLayer(int Index, long Inputs, long? Outputs);

/// <summary>x + multiplier · MLP(x): what a hypernetwork puts in front of keys or values.</summary>
internal sealed class HypernetworkModule : nn.Module
{
    private readonly List<(nn.Module<Tensor, Tensor> Module, bool IsActivated)> _steps = [];
    private readonly Func<Tensor, Tensor> _activation;

    public HypernetworkModule(IReadOnlyList<HypernetworkLayer> layers, string activation, bool activatesOutput, Device device)
        : base(nameof(HypernetworkModule))
    {
        (Layers, _activation) = (layers, HypernetworkActivations.Known[activation]);
        var last = layers.Last(layer => layer.Outputs is not null);
        var linear = new HypernetworkLayers();
        foreach (var layer in layers)
        {
            nn.Module<Tensor, Tensor> module = layer.Outputs is { } outputs ? new Linear(layer.Inputs, outputs)
                : new LayerNorm(layer.Inputs);
            module.to(device);
            linear.register_module($"{layer.Index}", module);
            _steps.Add((module, layer.Outputs is not null && (layer != last || activatesOutput)));
        }

        register_module("linear", linear);
    }

    public IReadOnlyList<HypernetworkLayer> Layers { get; }

    /// <summary>Draws new weights as AUTOMATIC1111 does: normal with a deviation of 0.01, biases 0.</summary>
    public void Draw(Generator random)
    {
        using var frozen = no_grad();
        foreach (var (name, parameter) in named_parameters())
        {
            using var scope = NewDisposeScope();
            if (name.EndsWith("bias", StringComparison.Ordinal)) parameter.zero_();
            else parameter.copy_(InitialValues.Normal(parameter.shape, 0.01, random));
        }
    }

    public Tensor Run(Tensor input, float multiplier)
    {
        using var scope = NewDisposeScope();
        var hidden = input;
        foreach (var (module, isActivated) in _steps)
        {
            hidden = module.call(hidden);
            if (isActivated) hidden = _activation(hidden);
        }

        return input.add(hidden.As(input.dtype), alpha: multiplier).MoveToOuterDisposeScope();
    }

    /// <summary>The layers that options describe for a width.</summary>
    public static IReadOnlyList<HypernetworkLayer> Plan(long width, HypernetworkOptions options)
    {
        var (layers, index) = (new List<HypernetworkLayer>(), 0);
        for (var i = 0; i + 1 < options.LayerStructure.Count; i++)
        {
            var (inputs, outputs) = ((long)(width * options.LayerStructure[i]), (long)(width * options.LayerStructure[i + 1]));
            layers.Add(new HypernetworkLayer(index++, inputs, outputs));
            if (options.Activation != "linear" && (i + 2 < options.LayerStructure.Count || options.ActivateOutput)) index++;
            if (options.LayerNorm) layers.Add(new HypernetworkLayer(index++, outputs, null));
        }

        return layers;
    }

    /// <summary>Holds the layers by their numbers.</summary>
    private sealed class HypernetworkLayers() : nn.Module(nameof(HypernetworkLayers));
}
