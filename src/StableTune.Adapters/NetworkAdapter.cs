namespace StableTune.Adapters;

/// <summary>
/// A small trainable addition to one frozen layer: W' = W + multiplier · ΔW, or the same said of the layer's output. Derived
/// classes name the fields that hold weights as files do: their state dictionary is what is saved.
/// </summary>
public abstract class NetworkAdapter : nn.Module<Tensor, Tensor>
{
    /// <summary>Creates an adapter without weights.</summary>
    /// <param name="name">What it calls itself.</param>
    protected NetworkAdapter(string name) : base(name) { }

    /// <summary>How strongly the adapter acts: 1 in training, 0 switches it off. Not saved.</summary>
    public float Multiplier { get; set; } = 1f;

    /// <summary>Whether training draws random numbers in this adapter; <see cref="AdapterNetwork.BeginStep"/> must then be
    /// called.</summary>
    public virtual bool UsesRandomness => false;

    /// <summary>
    /// Seed of what the adapter draws in the current step. It is fixed within a step, so that a forward pass that checkpointing
    /// repeats draws the same again; null before the first step.
    /// </summary>
    public long? StepSeed { get; internal set; }

    /// <summary>The term that is added to the frozen layer's output, at multiplier 1.</summary>
    /// <param name="input">The layer's input: [..., in] or [B, in, H, W].</param>
    /// <returns>As the layer's output.</returns>
    public abstract override Tensor forward(Tensor input);

    /// <summary>ΔW at multiplier 1, float32, of the shape of the layer's weight: what merging adds to it.</summary>
    public abstract Tensor DeltaWeight();

    /// <summary>
    /// Adds the term to what the frozen layer computed. Derived classes may do it in a leaner way, in place where no gradient
    /// is recorded.
    /// </summary>
    /// <param name="input">The layer's input.</param>
    /// <param name="output">The layer's output.</param>
    /// <returns>A fresh tensor that takes the output's place; null when the output stays, perhaps changed in place.</returns>
    public virtual Tensor? Apply(Tensor input, Tensor output)
    {
        if (Multiplier == 0) return null;
        using var scope = NewDisposeScope();
        return (output + call(input) * Multiplier).MoveToOuterDisposeScope();
    }

    /// <summary>Takes the adapter's tensors over from loaded ones; called after their shapes were found to fit.</summary>
    /// <param name="tensors">By their name within the adapter, float32; may be a part of the names. Copied, not kept.</param>
    public virtual void LoadTensors(IReadOnlyDictionary<string, Tensor> tensors)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        using var frozen = no_grad();
        using var scope = NewDisposeScope();
        foreach (var (name, own) in ModuleTensors.Named(this))
            if (tensors.TryGetValue(name, out var loaded)) own.copy_(loaded);
    }

    /// <summary>Makes a tensor a weight that is trained: float32, outside of dispose scopes, owned by the module it is
    /// registered with.</summary>
    /// <param name="values">The initial values; taken over, must not be used again.</param>
    protected static Parameter Trainable(Tensor values) => LayerInitialization.NewParameter(values);

    /// <summary>The generator of this step, see <see cref="StepSeed"/>; the caller disposes it.</summary>
    /// <exception cref="InvalidOperationException">No step was begun.</exception>
    protected Generator StepRandom() => StepSeed is { } seed ? new Generator((ulong)seed)
        : throw new InvalidOperationException($"{GetName()} draws random numbers in training, but no step was begun: call AdapterNetwork.BeginStep before each step.");
}
