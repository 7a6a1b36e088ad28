namespace StableTune.Optimizers;

/// <summary>Changes weights given their gradients.</summary>
public interface IOptimizer : IDisposable
{
    /// <summary>The groups it steps, in the order of the learning rates given to <see cref="Step"/>.</summary>
    IReadOnlyList<ParameterGroup> Groups { get; }

    /// <summary>One update of every parameter that has a gradient.</summary>
    /// <param name="learningRates">The rate of each group in this step.</param>
    void Step(IReadOnlyList<double> learningRates);

    /// <summary>The state, by parameter name, for saving. The tensors stay the optimizer's: copy them, do not dispose of them.</summary>
    OptimizerState State { get; }

    /// <summary>Takes over a saved state.</summary>
    /// <exception cref="ArgumentException">A parameter's state is missing or has another shape.</exception>
    void LoadState(OptimizerState state);
}

/// <summary>What an optimizer remembers between steps.</summary>
/// <param name="Tensors">By "&lt;parameter&gt;.&lt;quantity&gt;", for instance "lora_unet_….lora_up.weight.m".</param>
/// <param name="Scalars">By quantity, or by "&lt;parameter&gt;.&lt;quantity&gt;" where it belongs to one, for instance "lora_unet_….lora_up.weight.step".</param>
public sealed record OptimizerState(IReadOnlyDictionary<string, Tensor> Tensors, IReadOnlyDictionary<string, double> Scalars);
