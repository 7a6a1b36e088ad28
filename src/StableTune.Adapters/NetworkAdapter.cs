using StableTune.Tensors;

namespace StableTune.Adapters;

/// <summary>
/// A small trainable addition to one frozen layer, which lies around it: W' = W + multiplier · ΔW, or the same said of the layer's output.
/// The one thing that a kind must say is <see cref="DeltaWeight(Tensor)"/>; <see cref="Term"/> and <see cref="Forward"/> are there for
/// leaner ways.
/// Derived classes name the fields that hold weights as files do: their state dictionary is what is saved.
/// </summary>
public abstract class NetworkAdapter : nn.Module<Tensor, Tensor>
{
    /// <summary>Creates an adapter without weights.</summary>
    /// <param name="name">What it calls itself.</param>
    /// <param name="layer">The frozen layer.</param>
    protected NetworkAdapter(string name, AdaptedLayer layer) : base(name)
    {
        ArgumentNullException.ThrowIfNull(layer);
        Layer = layer;
    }

    /// <summary>The frozen layer, and its place in the model.</summary>
    public AdaptedLayer Layer { get; }

    /// <summary>How strongly the adapter acts: 1 in training, 0 switches it off. Not saved.</summary>
    public float Multiplier { get; set; } = 1f;

    /// <summary>
    /// Whether training draws random numbers in this adapter; <see cref="AdapterNetwork.BeginStep"/> must then be called.
    /// </summary>
    public virtual bool UsesRandomness => false;

    /// <summary>
    /// Seed of what the adapter draws in the current step. It is fixed within a step, so that a forward pass that checkpointing
    /// repeats draws the same again; null before the first step.
    /// </summary>
    public long? StepSeed { get; internal set; }

    /// <summary>Which samples of a batch the adapter sees in the current step, where several devices share the batch; null for
    /// all.</summary>
    public BatchShare? StepShare { get; internal set; }

    /// <summary>
    /// Whether a control picture steers the adapter: <see cref="AdapterNetwork.SetControl"/>. The default says no.
    /// </summary>
    public virtual bool UsesControl => false;

    /// <summary>
    /// The control picture, [B, 3, height, width] in -1..1; null for none. Not owned: whoever set it keeps it alive.
    /// </summary>
    public Tensor? Control { get; internal set; }

    /// <summary>Whether the adapter can be merged into the layer's weights. The default says yes.</summary>
    public virtual bool CanMerge => true;

    /// <summary>
    /// What the layer computes with the adapter around it. The default is <c>original(input) + Multiplier · Term(input)</c>; a kind that
    /// changes the input, scales the output or replaces the product says so here.
    /// </summary>
    /// <param name="input">The layer's input: [..., in] or [B, in, H, W].</param>
    /// <param name="original">What the layer computes without this adapter, as a fresh tensor of the current dispose scope.</param>
    /// <returns>
    /// A fresh tensor in the output's type; where no gradient is recorded, perhaps what the original returned, changed in place.
    /// </returns>
    public virtual Tensor Forward(Tensor input, Func<Tensor, Tensor> original)
    {
        ArgumentNullException.ThrowIfNull(original);
        if (Multiplier == 0) return original(input);
        using var scope = NewDisposeScope();
        return Add(original(input), Term(input)).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// The term that is added to the layer's output, at multiplier 1. The default is the layer's product with
    /// <see cref="DeltaWeight(Tensor)"/>.
    /// </summary>
    /// <param name="input">The layer's input: [..., in] or [B, in, H, W].</param>
    /// <returns>As the layer's output; the type may be another.</returns>
    protected virtual Tensor Term(Tensor input)
    {
        using var scope = NewDisposeScope();
        return Layer.Shape.Apply(input, DeltaWeight(Precise(Layer.Values()))).MoveToOuterDisposeScope();
    }

    /// <summary>The term by itself, at multiplier 1, without the layer's own output.</summary>
    /// <param name="input">The layer's input: [..., in] or [B, in, H, W].</param>
    /// <returns>As the layer's output.</returns>
    public sealed override Tensor forward(Tensor input) => Term(input);

    /// <summary>ΔW at multiplier 1.</summary>
    /// <param name="weight">The frozen weight in float32, as <see cref="LayerShape.WeightShape"/> says.</param>
    /// <returns>A fresh tensor in float32, of the weight's shape.</returns>
    public abstract Tensor DeltaWeight(Tensor weight);

    /// <summary>
    /// What merging adds to the layer's weight. The default is multiplier · <see cref="DeltaWeight(Tensor)"/>; kinds that the multiplier
    /// does not simply scale (DoRA, BOFT) say so here.
    /// </summary>
    /// <param name="weight">The frozen weight in float32, as <see cref="LayerShape.WeightShape"/> says.</param>
    /// <param name="multiplier">How strongly the adapter acts.</param>
    /// <returns>A fresh tensor in float32, of the weight's shape.</returns>
    public virtual Tensor DeltaWeight(Tensor weight, float multiplier)
    {
        using var scope = NewDisposeScope();
        return (DeltaWeight(weight) * multiplier).MoveToOuterDisposeScope();
    }

    /// <summary>What merging adds to the layer's bias; null, the default, where the kind leaves the bias alone.</summary>
    /// <param name="bias">The frozen bias in float32, [out].</param>
    /// <param name="multiplier">How strongly the adapter acts.</param>
    /// <returns>A fresh tensor of the bias' shape, or null.</returns>
    public virtual Tensor? DeltaBias(Tensor bias, float multiplier) => null;

    /// <summary>
    /// The tensors that files hold, by their names within the adapter. The default: parameters and buffers as they are. A kind that folds
    /// one into another when it is saved says so here; <see cref="LoadTensors"/> is the way back.
    /// </summary>
    /// <returns>The adapter's own tensors, or fresh ones of the open dispose scope.</returns>
    public virtual IReadOnlyDictionary<string, Tensor> SavedTensors() => ModuleTensors.Named(this);

    /// <summary>
    /// Makes the adapter weaker where the Frobenius norm of its ΔW is above a limit (sd-scripts' <c>scale_weight_norms</c>).
    /// </summary>
    /// <param name="limit">The largest norm that is left alone, above 0.</param>
    /// <returns>Whether it was made weaker, and the norm afterwards; null, the default, for kinds that have no norm to limit.</returns>
    public virtual NormLimit? LimitNorm(double limit) => null;

    /// <summary>
    /// Whether a parameter belongs to the factor that starts at zero, which LoRA+ trains at a higher rate: <c>lora_up.weight</c>. The
    /// default says no.
    /// </summary>
    /// <param name="parameter">The parameter's name within the adapter.</param>
    public virtual bool IsUpFactor(string parameter) => false;

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

    /// <summary>output + Multiplier · term in the output's type, in place where no gradient is recorded.</summary>
    /// <param name="output">What the layer computed.</param>
    /// <param name="term">Of its shape.</param>
    protected Tensor Add(Tensor output, Tensor term)
    {
        ArgumentNullException.ThrowIfNull(output);
        using var scope = NewDisposeScope();
        var addition = term.As(output.dtype);
        if (is_grad_enabled()) return output.add(addition, alpha: Multiplier).MoveToOuterDisposeScope();
        output.add_(addition, alpha: Multiplier);
        return output;
    }

    /// <summary>A layer's output without its bias, in the output's type.</summary>
    private protected Tensor Unbiased(Tensor output)
    {
        using var scope = NewDisposeScope();
        if (Layer.Bias is not { } bias) return output.alias().MoveToOuterDisposeScope();
        var channels = Layer.Shape is ConvolutionShape ? bias.reshape(-1, 1, 1) : bias;
        return (output - channels.As(output.dtype)).MoveToOuterDisposeScope();
    }

    /// <summary>Makes a tensor a weight that is trained: outside of dispose scopes, on the layer's device, owned by the module it is
    /// registered with.</summary>
    /// <param name="values">The initial values, float32; taken over, must not be used again. Trained in float64 on a layer of it.</param>
    protected Parameter Trainable(Tensor values)
    {
        ArgumentNullException.ThrowIfNull(values);
        using (values) return LayerInitialization.NewParameter(Placed(values));
    }

    /// <summary>Values on the layer's device, in float64 where the layer is.</summary>
    private protected Tensor Placed(Tensor values)
    {
        var type = Layer.Weight.dtype == ScalarType.Float64 ? ScalarType.Float64 : values.dtype;
        return values.to(Layer.Weight.device).to(type);
    }

    /// <summary>The generator of this step, see <see cref="StepSeed"/>; the caller disposes it.</summary>
    /// <exception cref="InvalidOperationException">No step was begun.</exception>
    protected Generator StepRandom() => StepSeed is { } seed ? new Generator((ulong)seed)
        : throw new InvalidOperationException(
            $"{GetName()} draws random numbers in training, but no step was begun: call AdapterNetwork.BeginStep before each step.");

    /// <summary>
    /// The layer's weight as <see cref="DeltaWeight(Tensor)"/> gets it: float32, or float64 where the layer computes in it.
    /// </summary>
    internal static Tensor Precise(Tensor weight) =>
        weight.As(weight.dtype == ScalarType.Float64 ? ScalarType.Float64 : ScalarType.Float32);
}

/// <summary>What limiting the norm of one adapter did.</summary>
/// <param name="IsScaled">Whether the adapter was made weaker.</param>
/// <param name="Norm">The Frobenius norm of ΔW afterwards.</param>
public readonly record struct NormLimit(bool IsScaled, double Norm)
{
    /// <summary>Makes something weaker whose norm is above a limit.</summary>
    /// <param name="norm">Its norm.</param>
    /// <param name="limit">The largest norm that is left alone, above 0.</param>
    /// <param name="weaken">Called where the norm is too large, with the ratio to multiply by: above 0, below 1.</param>
    public static NormLimit Of(double norm, double limit, Action<double> weaken)
    {
        ArgumentNullException.ThrowIfNull(weaken);
        if (norm <= limit) return new NormLimit(false, norm);
        weaken(limit / norm);
        return new NormLimit(true, limit);
    }
}
