namespace StableTune.Adapters;

/// <summary>
/// An adapter whose ΔW is made of low-rank factors and scaled by alpha / rank. Alpha (a buffer, saved as <c>alpha</c>), scale, dropouts, a
/// trained scalar and DoRA's magnitudes (<c>dora_scale</c>) are here; derived classes hold the factors.
/// </summary>
/// <remarks>
/// A derived class says what its product is (<see cref="Product"/>), and may compute the layer's term more leanly. The scalar multiplies
/// one of its factors (<see cref="Scaled"/>), into which it is folded when it is saved (<see cref="ScalarTargets"/>).
/// </remarks>
public abstract class FactoredAdapter : NetworkAdapter
{
    private static readonly Operator s_unsafeView = new("aten::_unsafe_view");

    private readonly FactoredAdapterOptions _options;
    private readonly Tensor _alpha;
    private readonly Parameter? _scalar;
    private WeightDecomposition? _decomposition;

    /// <summary>Creates an adapter with an alpha and no factors yet.</summary>
    /// <param name="name">What it calls itself.</param>
    /// <param name="layer">The frozen layer, linear or a convolution.</param>
    /// <param name="options">Rank, alpha, dropouts.</param>
    /// <exception cref="NotSupportedException">The layer is a norm, or a convolution in groups.</exception>
    protected FactoredAdapter(string name, AdaptedLayer layer, FactoredAdapterOptions options) : base(name, layer)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (layer.Shape is NormShape or ConvolutionShape { Groups: not 1 })
            throw new NotSupportedException($"{name} has no factors for {layer}: leave norms and convolutions in groups out.");
        _options = options;
        Rank = options.RankFor(layer);
        var alpha = options.AlphaFor(layer) is > 0 and var given && !options.IsUnscaled(layer) ? given : Rank;
        // Readers divide by the rank: so they come to alpha / √rank.
        if (options.RankStabilized && !options.IsUnscaled(layer)) alpha *= MathF.Sqrt(Rank);
        alpha *= options.AlphaFactor;
        _alpha = full([], alpha, dtype: ScalarType.Float32).DetachFromDisposeScope();
        Scale = alpha / Rank;
        register_buffer("alpha", _alpha);
        if (!options.UseScalar) return;
        _scalar = Trainable(zeros([]));
        register_parameter("scalar", _scalar);
    }

    /// <summary>The rank of the factors.</summary>
    public int Rank { get; }

    /// <summary>The alpha as files hold it: the product is multiplied by alpha / rank.</summary>
    public float Alpha => Scale * Rank;

    /// <summary>alpha / rank, by which the product of the factors is multiplied.</summary>
    protected float Scale { get; private set; }

    /// <summary>Whether a trained scalar, which starts at 0, multiplies the product, so that no factor has to start at 0.</summary>
    protected bool HasScalar => _scalar is not null;

    /// <summary>The names of the tensors in files into which the scalar is folded.</summary>
    protected abstract IReadOnlyList<string> ScalarTargets { get; }

    /// <summary>Probability of a zero in each element.</summary>
    protected double Dropout => _options.Dropout;

    /// <summary>Probability of leaving out a rank, or an output.</summary>
    protected double RankDropout => _options.RankDropout;

    /// <inheritdoc/>
    public override bool UsesRandomness => _options.Dropout > 0 || _options.RankDropout > 0 || _options.ModuleDropout > 0;

    /// <summary>Draws which elements stay: a seam, so that recorded draws can be put in their place.</summary>
    internal Func<long[], double, Generator, Tensor> DrawMask { get; set; } = (shape, p, random) => rand(shape, generator: random).gt(p);

    /// <inheritdoc/>
    public sealed override Tensor Forward(Tensor input, Func<Tensor, Tensor> original)
    {
        ArgumentNullException.ThrowIfNull(original);
        if (Multiplier == 0) return original(input);
        using var random = Draws();
        if (IsLeftOut(random)) return original(input);
        return _decomposition is { } decomposition
            ? decomposition.Forward(input, original, x => Term(x, random), Multiplier)
            : Forward(input, original, random);
    }

    /// <inheritdoc/>
    protected sealed override Tensor Term(Tensor input)
    {
        using var random = Draws();
        if (!IsLeftOut(random)) return _decomposition is null ? Term(input, random) : base.Term(input);
        ArgumentNullException.ThrowIfNull(input);
        using var scope = NewDisposeScope();
        return zeros_like(Layer.Shape.Apply(input, Layer.Values())).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// The layer with the adapter around it, of an adapter that acts in this step and has no magnitudes of DoRA. The default adds
    /// <see cref="Term(Tensor, Generator?)"/>.
    /// </summary>
    /// <param name="input">The layer's input.</param>
    /// <param name="original">What the layer computes without this adapter.</param>
    /// <param name="random">What dropouts are drawn from; null where none act.</param>
    /// <returns>A fresh tensor in the output's type, or what the original returned, changed in place.</returns>
    protected virtual Tensor Forward(Tensor input, Func<Tensor, Tensor> original, Generator? random)
    {
        ArgumentNullException.ThrowIfNull(original);
        using var scope = NewDisposeScope();
        return Add(original(input), Term(input, random)).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// The term that the product of the factors adds to the layer's output, at multiplier 1, of an adapter that acts in this step.
    /// </summary>
    /// <param name="input">The layer's input.</param>
    /// <param name="random">What dropouts are drawn from; null where none act.</param>
    /// <returns>As the layer's output; the type may be another.</returns>
    protected abstract Tensor Term(Tensor input, Generator? random);

    /// <summary>The product of the factors with scale and scalar, at multiplier 1: ΔW of an adapter without DoRA.</summary>
    /// <param name="weight">The frozen weight in float32, for kinds whose ΔW depends on it.</param>
    /// <returns>A fresh tensor in float32, of the weight's shape.</returns>
    protected abstract Tensor Product(Tensor weight);

    /// <summary>Gives the product as two factors, in the open dispose scope; null, the default, where it is no product of two. Asked for
    /// when the factors are there.</summary>
    private protected virtual Func<LowRankProduct>? TwoFactors => null;

    /// <inheritdoc/>
    public sealed override Tensor DeltaWeight(Tensor weight) => DeltaWeight(weight, 1);

    /// <inheritdoc/>
    public sealed override Tensor DeltaWeight(Tensor weight, float multiplier)
    {
        ArgumentNullException.ThrowIfNull(weight);
        using var scope = NewDisposeScope();
        var product = Product(weight);
        var change = _decomposition is { } decomposition ? decomposition.Change(weight, product, multiplier) : product * multiplier;
        return change.MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public override NormLimit? LimitNorm(double limit)
    {
        using var frozen = no_grad();
        using var scope = NewDisposeScope();
        return NormLimit.Of(Product(Precise(Layer.Values())).norm().ToDouble(), limit, Weaken);
    }

    /// <summary>Multiplies the product by a ratio, which the default spreads evenly over all factors, as sd-scripts does.</summary>
    /// <param name="ratio">Above 0, below 1.</param>
    private protected virtual void Weaken(double ratio)
    {
        Tensor[] factors = [.. ModuleTensors.Named(this).Where(entry => entry.Key is not ("alpha" or "scalar" or "dora_scale"))
            .Select(entry => entry.Value)];
        foreach (var factor in factors) factor.mul_(Math.Pow(ratio, 1.0 / factors.Length));
    }

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, Tensor> SavedTensors()
    {
        var saved = ModuleTensors.Named(this);
        if (_scalar is null) return saved;
        using var frozen = no_grad();
        foreach (var name in ScalarTargets) saved[name] = saved[name] * _scalar;
        saved.Remove("scalar");
        return saved;
    }

    /// <inheritdoc/>
    public override void LoadTensors(IReadOnlyDictionary<string, Tensor> tensors)
    {
        base.LoadTensors(tensors);
        using var frozen = no_grad();
        // 0 means the rank, in files too.
        if (_alpha.item<float>() == 0 || _options.IsUnscaled(Layer)) _alpha.fill_(Rank);
        Scale = _alpha.item<float>() / Rank;
        // In files it is folded into a factor.
        if (_scalar is not null && !tensors.ContainsKey("scalar") && ScalarTargets.Any(tensors.ContainsKey)) _scalar.fill_(1);
    }

    /// <summary>A factor times the trained scalar, or the factor itself where there is none.</summary>
    /// <param name="factor">One of <see cref="ScalarTargets"/>.</param>
    protected Tensor Scaled(Tensor factor) => _scalar is null ? factor : factor * _scalar;

    /// <summary>
    /// Adds DoRA's magnitudes where the options ask for them: to be called at the end of the constructor, when the factors are there.
    /// </summary>
    protected void Decompose()
    {
        if (!_options.WeightDecompose) return;
        var axis = _options.DecomposeOutputs ?? DecomposesOutputs ? DecomposedAxis.Outputs : DecomposedAxis.Inputs;
        _decomposition = new WeightDecomposition(Layer, axis, Product, TwoFactors, _options.DetachNorm);
        register_parameter("dora_scale", _decomposition.Magnitude);
    }

    /// <summary>Whether DoRA's magnitudes belong to outputs where the options do not say.</summary>
    protected virtual bool DecomposesOutputs => true;

    /// <summary>Zeros and ones: which elements a dropout leaves.</summary>
    /// <param name="shape">The shape of the mask.</param>
    /// <param name="p">Probability of a zero.</param>
    /// <param name="random">What it is drawn from.</param>
    /// <param name="like">Gives type and device.</param>
    protected Tensor Mask(long[] shape, double p, Generator random, Tensor like)
    {
        ArgumentNullException.ThrowIfNull(like);
        using var scope = NewDisposeScope();
        return DrawMask(shape, p, random).to(like.device).to(like.dtype).MoveToOuterDisposeScope();
    }

    /// <summary>As <see cref="Mask"/>, of a shape that begins with the samples of the batch: where several devices share the batch, the
    /// share of the mask that the whole batch would get.</summary>
    private protected Tensor SampleMask(long[] shape, double p, Generator random, Tensor like)
    {
        if (StepShare is not { IsWhole: false } share || shape[0] % share.Count != 0) return Mask(shape, p, random, like);
        using var scope = NewDisposeScope();
        // A long caption has several rows of a sample.
        return share.Cut(Mask([shape[0] / share.Count * share.Total, .. shape[1..]], p, random, like)).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// LyCORIS' rank dropout, [out]: which outputs of the term stay in this step, not made larger; null where it does not act.
    /// </summary>
    private protected Tensor? OutputMask(Generator? random) =>
        random is null || RankDropout == 0 ? null : Mask([Layer.Shape.OutFeatures], RankDropout, random, Layer.Weight);

    /// <summary>A term after the dropouts of LyCORIS' kinds: of whole outputs, then of elements.</summary>
    private protected Tensor DropOutputs(Tensor term, Generator? random)
    {
        using var scope = NewDisposeScope();
        if (OutputMask(random) is { } mask) term = term * (Layer.Shape is LinearShape ? mask : mask.reshape(-1, 1, 1)).to(term.dtype);
        if (random is not null && Dropout > 0) term = term * SampleMask(term.shape, Dropout, random, term) / (1 - Dropout);
        return term.alias().MoveToOuterDisposeScope();
    }

    /// <summary>up(hidden): a product over the features of a linear layer, or over the channels of each place of a convolution.</summary>
    /// <param name="hidden">[..., r], or [B, r, H, W] of a convolution.</param>
    /// <param name="up">[out, r] or [out, r, 1, 1].</param>
    /// <returns>[..., out], or [B, out, H, W].</returns>
    private protected Tensor Expanded(Tensor hidden, Tensor up) => Layer.Shape is LinearShape ? Products.Linear(hidden, up)
        : Products.Conv2d(hidden, up, null, ConvolutionGeometry.Pointwise);

    /// <summary>
    /// output + strength · up(hidden) as one product that is accumulated onto the output: the term is never held by itself, and without a
    /// gradient the output is changed in place.
    /// </summary>
    /// <param name="output">What the layer computed.</param>
    /// <param name="hidden">[..., r], or [B, r, H', W'] of a convolution, in the output's type.</param>
    /// <param name="up">[out, r] or [out, r, 1, 1].</param>
    /// <param name="strength">The factor.</param>
    /// <returns>A fresh tensor, or the output.</returns>
    protected Tensor Accumulate(Tensor output, Tensor hidden, Tensor up, float strength)
    {
        ArgumentNullException.ThrowIfNull(output);
        ArgumentNullException.ThrowIfNull(hidden);
        ArgumentNullException.ThrowIfNull(up);
        using var scope = NewDisposeScope();
        up = up.to(hidden.dtype).flatten(1);                                                          // [out, r]
        var (width, rank) = (up.shape[0], up.shape[1]);
        if (Layer.Shape is LinearShape)
        {
            var rows = output.reshape(-1, width);
            var (low, high) = (hidden.reshape(-1, rank), up.t());
            if (!IsInPlace(output)) return Shaped(rows.addmm(low, high, 1, strength), output.shape);
            rows.addmm_(low, high, 1, strength);
        }
        else
        {
            // A 1x1 convolution is a matrix product over the channels, one for each sample: [out, r] x [r, H·W].
            var planes = output.reshape(output.shape[0], width, -1);
            var (low, high) = (hidden.reshape(output.shape[0], rank, -1), up.unsqueeze(0).expand(output.shape[0], -1, -1));
            // TorchSharp takes the first factor as the object, and what is added as the last tensor.
            if (!IsInPlace(output)) return Shaped(high.baddbmm(low, planes, 1, strength), output.shape);
            planes.add_(high.bmm(low), alpha: strength);
        }

        return output;
    }

    /// <summary>
    /// The result in the output's shape. Not a view for autograd, which it would be by reshape: models add residuals to it in
    /// place, and in-place changes of views cost a copy of the gradient.
    /// </summary>
    private static Tensor Shaped(Tensor result, long[] shape) => s_unsafeView.Call(result, shape).MoveToOuterDisposeScope();

    /// <summary>Where no gradient is recorded; and only where reshape gave a view of the output, which a strided one would not.</summary>
    private static bool IsInPlace(Tensor output) => !is_grad_enabled() && output.is_contiguous();

    private Generator? Draws() => training && UsesRandomness ? StepRandom() : null;

    private bool IsLeftOut(Generator? random)
    {
        if (random is null || _options.ModuleDropout == 0) return false;
        using var draw = rand(1, generator: random);
        return draw.item<float>() < _options.ModuleDropout;
    }
}
