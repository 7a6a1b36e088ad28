using TorchSharp.Modules;

namespace StableTune.Models;

/// <summary>The network that predicts the noise (or v) in noisy latents under a text context.</summary>
/// <remarks>
/// Rombach et al., High-resolution image synthesis with latent diffusion models, arXiv:2112.10752. Module and parameter names are
/// those of diffusers' <c>UNet2DConditionModel</c>; modules are registered in the order in which sd-scripts creates adapters.
/// It computes in the dtype of its weights (or <see cref="ComputeType"/>), norms and softmax in float32, and answers in the dtype of the
/// sample.
/// </remarks>
public sealed class UNet2DConditionModel : nn.Module<Tensor, Tensor, Tensor, AddedConditions?, Tensor>, IDenoisingNetwork
{
    private readonly Conv2d conv_in;
    private readonly TimestepEmbedding time_embedding;
    private readonly TimestepEmbedding? add_embedding;
    private readonly ModuleList<UNetDownBlock> down_blocks;
    private readonly ModuleList<UNetUpBlock> up_blocks;
    private readonly UNetMidBlock2DCrossAttn mid_block;
    private readonly GroupNorm conv_norm_out;
    private readonly Conv2d conv_out;
    private readonly ForwardSettings _settings = new();
    private readonly int _transformers;

    /// <summary>Creates the model with random weights (or undefined ones, within <c>LayerInitialization.Skip()</c>).</summary>
    /// <exception cref="InvalidOptionsException">The options cannot work.</exception>
    public UNet2DConditionModel(UNetOptions options) : base(nameof(UNet2DConditionModel))
    {
        InvalidOptionsException.ThrowIfAny(options.Validate());
        (Options, _transformers) = (options, CrossAttentionLayers.Of(options).Count);
        var (first, levels) = (options.BlockOutChannels[0], Enumerable.Range(0, options.Levels));
        conv_in = new Conv2d(options.InChannels, first, 3, padding: 1);
        time_embedding = new TimestepEmbedding(first, options.TimeEmbedDim);
        if (options.AdditionEmbedType == UNetOptions.TextTime)
            add_embedding = new TimestepEmbedding(options.ProjectionClassEmbeddingsInputDim, options.TimeEmbedDim);
        down_blocks = new ModuleList<UNetDownBlock>(levels.Select(level => new UNetDownBlock(options, level, _settings)).ToArray());
        up_blocks = new ModuleList<UNetUpBlock>(levels.Select(index => new UNetUpBlock(options, index, _settings)).ToArray());
        mid_block = new UNetMidBlock2DCrossAttn(options, _settings);
        conv_norm_out = new GroupNorm(options.NormNumGroups, first, options.NormEps);
        conv_out = new Conv2d(first, options.OutChannels, 3, padding: 1);
        RegisterComponents();
    }

    /// <summary>The architecture.</summary>
    public UNetOptions Options { get; }

    /// <summary>
    /// Whether each resnet and each transformer block keeps only its inputs for the backward pass and computes the rest again: less
    /// memory, about a third more time. Off by default. Parameters then get gradients by <c>backward()</c>, not by <c>autograd.grad</c>.
    /// </summary>
    public bool GradientCheckpointing
    {
        get => _settings.GradientCheckpointing;
        set => _settings.GradientCheckpointing = value;
    }

    /// <summary>
    /// Whether normalised and activated values, cheap to compute, and the feed-forward parts of transformers are computed again in the
    /// backward pass instead of being kept. On by default. Parameters then get gradients by <c>backward()</c>, not by <c>autograd.grad</c>.
    /// </summary>
    public bool RecomputeActivations
    {
        get => _settings.RecomputeActivations;
        set => _settings.RecomputeActivations = value;
    }

    /// <summary>How attention is computed. <see cref="AttentionBackend.Automatic"/> by default.</summary>
    public AttentionBackend Attention
    {
        get => _settings.Attention;
        set => _settings.Attention = value;
    }

    /// <summary>Merges tokens before attention, see <see cref="TokenMergingOptions"/>; null, the default, for none.</summary>
    public TokenMerging? TokenMerging
    {
        get => _settings.TokenMerging;
        set => _settings.TokenMerging = value;
    }

    /// <summary>
    /// Keeps the inputs of checkpoints in host memory until the backward pass (<see cref="GradientCheckpointing"/>); null, the default,
    /// leaves them on the device.
    /// </summary>
    public ITensorMover? CheckpointMover
    {
        get => _settings.CheckpointMover;
        set => _settings.CheckpointMover = value;
    }

    /// <summary>Resnets and transformer blocks: the pieces that are checkpointed, and swapped, each by itself.</summary>
    public int Segments => SegmentsInOrder().Count();

    /// <summary>
    /// Keeps the frozen weights of the last resnets and transformer blocks, in the order in which they run, in host memory; each is
    /// copied to the device when it runs. Training needs <see cref="GradientCheckpointing"/> with it. The model must not be
    /// moved meanwhile.
    /// </summary>
    /// <param name="count">How many, 1 to <see cref="Segments"/>.</param>
    /// <param name="mover">How weights are copied; null for <see cref="TensorMover.Default"/>.</param>
    /// <returns>Disposing brings the weights back to the device for good.</returns>
    /// <exception cref="ArgumentOutOfRangeException">There are not so many.</exception>
    /// <exception cref="InvalidOperationException">A weight among them is trained, or blocks are swapped already.</exception>
    public IDisposable SwapBlocks(int count, ITensorMover? mover = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, Segments);
        if (_settings.Swap is not null)
            throw new InvalidOperationException(
                "Blocks of this model wait in host memory already: dispose what SwapBlocks returned first.");
        return new BlockSwap(_settings, SegmentsInOrder().TakeLast(count), conv_in.weight.device, mover ?? TensorMover.Default);
    }

    private IEnumerable<nn.Module> SegmentsInOrder() =>
        [.. down_blocks.SelectMany(block => block.Segments), .. mid_block.Segments, .. up_blocks.SelectMany(block => block.Segments)];

    /// <summary>
    /// The type that products are computed in; null, the default, for the type of the weights. Weights of another type, such as trained
    /// ones that are held in float32, are
    /// cast where they are used.
    /// </summary>
    public ScalarType? ComputeType { get; set; }

    /// <inheritdoc/>
    public bool TakesAddedConditions => Options.TakesAddedConditions;

    /// <inheritdoc/>
    public bool TakesMask => Options.TakesMask;

    /// <inheritdoc/>
    public bool TakesDepth => Options.TakesDepth;

    /// <inheritdoc/>
    public Tensor Predict(Tensor noisyLatents, Tensor timesteps, UNetConditions conditions) => call(noisyLatents, timesteps, conditions);

    /// <summary>Predicts for a batch, without added conditions. See the four-argument form.</summary>
    /// <param name="sample">Noisy latents, [B, InChannels, h, w].</param>
    /// <param name="timesteps">Diffusion times, [B] or [1].</param>
    /// <param name="encoderHiddenStates">Text context, [B, L, CrossAttentionDim].</param>
    /// <returns>[B, OutChannels, h, w], in the sample's dtype.</returns>
    /// <exception cref="ArgumentException">A shape does not fit the options, or the model wants added conditions.</exception>
    public Tensor call(Tensor sample, Tensor timesteps, Tensor encoderHiddenStates) => call(sample, timesteps, encoderHiddenStates, null);

    /// <summary>Predicts for a batch under all conditions of the model, whatever its kind.</summary>
    /// <param name="latents">Noisy latents, [B, 4, h, w]; an inpainting model's other channels come from the conditions.</param>
    /// <param name="timesteps">See the four-argument form.</param>
    /// <param name="conditions">Text, and what else the model takes.</param>
    /// <returns>[B, OutChannels, h, w], in the dtype of the latents.</returns>
    /// <exception cref="ArgumentException">A shape does not fit the options, or conditions are missing or not wanted.</exception>
    public Tensor call(Tensor latents, Tensor timesteps, UNetConditions conditions)
    {
        ArgumentNullException.ThrowIfNull(conditions);
        if (conditions is { Inpainting: null, Depth: null, Controls.Count: 0 })
            return call(latents, timesteps, conditions.Context, conditions.Added);
        using var scope = NewDisposeScope();
        UNetResiduals[] residuals =
            [.. conditions.Controls.Select(control => control.Residuals(latents, timesteps, conditions)).OfType<UNetResiduals>()];
        var sample = conditions.Depth?.Join(latents) ?? conditions.Inpainting?.Join(latents) ?? latents;
        return Run(sample, timesteps, conditions.Context, conditions.Added, residuals).MoveToOuterDisposeScope();
    }

    /// <summary>Predicts the noise (or what the model was trained for).</summary>
    /// <param name="sample">Noisy latents, [B, InChannels, h, w]; h and w need not be multiples of 8.</param>
    /// <param name="timesteps">Diffusion times, one per sample, integer or fractional, [B]; or one for all, [1].</param>
    /// <param name="encoderHiddenStates">Text context, [B, L, CrossAttentionDim]; or one for each of the
    /// <see cref="CrossAttentionLayers"/>, [B, K, L, CrossAttentionDim].</param>
    /// <param name="added">SDXL's added conditions; null for other models.</param>
    /// <returns>[B, OutChannels, h, w], in the sample's dtype.</returns>
    /// <exception cref="ArgumentException">A shape does not fit the options, or added conditions are missing or not wanted.</exception>
    public override Tensor forward(Tensor sample, Tensor timesteps, Tensor encoderHiddenStates, AddedConditions? added) =>
        Run(sample, timesteps, encoderHiddenStates, added, []);

    private Tensor Run(
        Tensor sample, Tensor timesteps, Tensor encoderHiddenStates, AddedConditions? added, IReadOnlyList<UNetResiduals> residuals)
    {
        CheckShapes(sample, timesteps, encoderHiddenStates, added);
        using var scope = NewDisposeScope();
        _settings.Latents = (sample.size(2), sample.size(3));
        var dtype = ComputeType ?? conv_in.weight.dtype;
        var timeEmbedding = TimestepEmbedding.Of(                                        // [B, 4 · channels]
            Options, time_embedding, add_embedding, timesteps.expand(sample.size(0)), added, dtype);
        var contexts = new LayerContexts(encoderHiddenStates.to(dtype));
        var hidden = conv_in.call(sample.to(dtype));

        var skips = new Stack<Tensor>([hidden]);
        foreach (var block in down_blocks) hidden = block.call(hidden, timeEmbedding, contexts.Take(block.Transformers), skips);
        hidden = mid_block.call(hidden, timeEmbedding, contexts.Take(1));
        foreach (var residual in residuals) hidden = AddResiduals(residual, skips, hidden);
        foreach (var block in up_blocks)
        {
            var next = block.call(hidden, timeEmbedding, contexts.Take(block.Transformers), skips);
            hidden.Dispose();
            hidden = next;
        }

        var predicted = _settings.NormSilu(conv_norm_out, hidden).Into(conv_out);
        return (predicted.dtype == sample.dtype ? predicted : predicted.to(sample.dtype)).MoveToOuterDisposeScope();
    }

    /// <summary>The skip connections with what controls add to them, and the mid block's output likewise.</summary>
    private static Tensor AddResiduals(UNetResiduals residuals, Stack<Tensor> skips, Tensor hidden)
    {
        if (residuals.Down.Count != skips.Count)
            throw new ArgumentException($"UNetResiduals.Down has {residuals.Down.Count} residuals: this model has {skips.Count} skip "
                + "connections. Check that model and ControlNet belong together.", nameof(residuals));
        var bare = skips.Reverse().ToArray();
        skips.Clear();
        for (var i = 0; i < bare.Length; i++)
        {
            skips.Push(Sum(bare[i], residuals.Down[i]));
            bare[i].Dispose();
        }

        return Sum(hidden, residuals.Mid);
    }

    /// <summary>
    /// The sum, in memory as the first was: where sides are 1 pixel long, other strides are possible, by which the layers behind choose how
    /// they compute, and nothing added would be a difference in the last bits.
    /// </summary>
    private static Tensor Sum(Tensor bare, Tensor residual)
    {
        var (sum, shape, strides) = (bare + residual.to(bare.dtype), bare.shape, bare.stride());
        var found = sum.stride();
        var differs = Enumerable.Range(0, shape.Length).Where(dimension => found[dimension] != strides[dimension]).ToList();
        return differs.Count == 0 || differs.Exists(dimension => shape[dimension] > 1) ? sum : sum.as_strided(shape, strides);
    }

    private void CheckShapes(Tensor sample, Tensor timesteps, Tensor context, AddedConditions? added)
    {
        if (sample.dim() != 4 || sample.size(1) != Options.InChannels)
            throw Misfit(nameof(sample), sample, $"[B, {Options.InChannels}, h, w]");
        var batch = sample.size(0);
        if (timesteps.dim() != 1 || (timesteps.size(0) != batch && timesteps.size(0) != 1))
            throw Misfit(nameof(timesteps), timesteps, $"[{batch}]");
        if (context.dim() == 4 ? context.size(1) != _transformers : context.dim() != 3)
            throw Misfit("encoderHiddenStates", context, $"[{batch}, L, {Options.CrossAttentionDim}], or one for each of its "
                + $"transformers, [{batch}, {_transformers}, L, {Options.CrossAttentionDim}]");
        if (context.size(0) != batch || context.size(-1) != Options.CrossAttentionDim)
            throw Misfit("encoderHiddenStates", context, $"[{batch}, L, {Options.CrossAttentionDim}]");
        if (add_embedding is null != added is null)
        {
            throw new ArgumentException(added is null
                ? "added is not set: this model (AdditionEmbedType text_time) needs the pooled text embedding and the time ids."
                : "added is set: this model has no added conditions. Leave them out.", nameof(added));
        }

        if (added is not null && (added.TimeIds.dim() != 2 || added.PooledEmbeds.dim() != 2
            || added.PooledEmbeds.size(1) + added.TimeIds.size(
                1) * Options.AdditionTimeEmbedDim != Options.ProjectionClassEmbeddingsInputDim))
        {
            throw Misfit(nameof(added), added.PooledEmbeds,
                $"[{batch}, {Options.ProjectionClassEmbeddingsInputDim - 6 * Options.AdditionTimeEmbedDim}] with time ids [{batch}, 6]");
        }
    }

    private static ArgumentException Misfit(string name, Tensor tensor, string wanted) =>
        new($"{name} is of shape [{string.Join(", ", tensor.shape)}]: this model takes {wanted}. Check that model and input belong "
            + $"together.", name);
}
