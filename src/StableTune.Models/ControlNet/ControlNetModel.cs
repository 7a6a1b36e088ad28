using TorchSharp.Modules;

namespace StableTune.Models;

/// <summary>What a ControlNet is given besides its picture: the same as its UNet.</summary>
/// <param name="Sample">Noisy latents, [B, InChannels, h, w].</param>
/// <param name="Timesteps">Diffusion times, [B] or [1].</param>
/// <param name="Context">Text context, [B, L, CrossAttentionDim].</param>
/// <param name="Added">SDXL's added conditions; null for other models.</param>
public sealed record ControlNetInputs(Tensor Sample, Tensor Timesteps, Tensor Context, AddedConditions? Added);

/// <summary>
/// A copy of a UNet's way down and middle that also looks at a picture, and steers the UNet by what it adds to its skip connections.
/// </summary>
/// <remarks>
/// Zhang et al., Adding conditional control to text-to-image diffusion models, arXiv:2302.05543. Module and parameter names are those of
/// diffusers' <c>ControlNetModel</c>.
/// </remarks>
public sealed class ControlNetModel : nn.Module<ControlNetInputs, Tensor, double, UNetResiduals>
{
    private readonly Conv2d conv_in;
    private readonly TimestepEmbedding time_embedding;
    private readonly TimestepEmbedding? add_embedding;
    private readonly ControlConditionEmbedding controlnet_cond_embedding;
    private readonly ModuleList<UNetDownBlock> down_blocks;
    private readonly ModuleList<Conv2d> controlnet_down_blocks;
    private readonly UNetMidBlock2DCrossAttn mid_block;
    private readonly Conv2d controlnet_mid_block;
    private readonly ForwardSettings _settings = new();

    /// <summary>Creates the model with random weights, zero convolutions of zeros (or undefined ones, within
    /// <c>LayerInitialization.Skip()</c>).</summary>
    /// <exception cref="InvalidOptionsException">The options cannot work.</exception>
    public ControlNetModel(ControlNetModelOptions options) : base(nameof(ControlNetModel))
    {
        ArgumentNullException.ThrowIfNull(options);
        InvalidOptionsException.ThrowIfAny(options.Validate());
        Options = options;
        var unet = options.UNet;
        var first = unet.BlockOutChannels[0];
        conv_in = new Conv2d(unet.InChannels, first, 3, padding: 1);
        time_embedding = new TimestepEmbedding(first, unet.TimeEmbedDim);
        if (unet.TakesAddedConditions) add_embedding = new TimestepEmbedding(unet.ProjectionClassEmbeddingsInputDim, unet.TimeEmbedDim);
        controlnet_cond_embedding = new ControlConditionEmbedding(options);
        down_blocks = new ModuleList<UNetDownBlock>(
            Enumerable.Range(0, unet.Levels).Select(level => new UNetDownBlock(unet, level, _settings)).ToArray());
        controlnet_down_blocks = new ModuleList<Conv2d>(SkipChannels(unet).Select(width => new Conv2d(width, width, 1)).ToArray());
        mid_block = new UNetMidBlock2DCrossAttn(unet, _settings);
        controlnet_mid_block = new Conv2d(unet.BlockOutChannels[^1], unet.BlockOutChannels[^1], 1);
        RegisterComponents();
        if (conv_in.weight.device.type != DeviceType.META) ZeroEnds();
    }

    /// <summary>The architecture.</summary>
    public ControlNetModelOptions Options { get; }

    /// <summary>As <see cref="UNet2DConditionModel.GradientCheckpointing"/>.</summary>
    public bool GradientCheckpointing
    {
        get => _settings.GradientCheckpointing;
        set => _settings.GradientCheckpointing = value;
    }

    /// <summary>As <see cref="UNet2DConditionModel.RecomputeActivations"/>.</summary>
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

    /// <summary>As <see cref="UNet2DConditionModel.ComputeType"/>.</summary>
    public ScalarType? ComputeType { get; set; }

    /// <summary>
    /// A ControlNet that begins as a copy of a UNet: its weights, without adapters that are attached to it, and zero convolutions, so that
    /// it does not change the UNet's output yet.
    /// </summary>
    /// <param name="unet">The UNet; not changed.</param>
    /// <param name="random">Draws the weights of the layers that look at the picture.</param>
    /// <param name="options">The architecture; null for the usual one of this UNet.</param>
    /// <param name="dtype">The type of the copy's weights; null for that of each of the UNet's.</param>
    /// <returns>On the UNet's device, its parameters wanting gradients; belongs to no dispose scope.</returns>
    /// <exception cref="ArgumentException">The options are for another UNet.</exception>
    public static ControlNetModel FromUNet(
        UNet2DConditionModel unet, Generator random, ControlNetModelOptions? options = null, ScalarType? dtype = null)
    {
        ArgumentNullException.ThrowIfNull(unet);
        ArgumentNullException.ThrowIfNull(random);
        options ??= ControlNetModelOptions.For(unet.Options);
        if (options.Misfit(unet.Options) is { } misfit)
            throw new ArgumentException($"ControlNetModelOptions.UNet does not fit the UNet: {misfit}. Use the UNet's own options.",
                nameof(options));
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        ControlNetModel model;
        using (LayerInitialization.Skip()) model = new ControlNetModel(options);
        var source = ModuleTensors.Values(unet);
        var device = unet.parameters().First().device;
        model.DrawPictureLayers(random);
        foreach (var (name, target) in ModuleTensors.Named(model))
        {
            // Memory of its own in any case: the UNet's may be a view of its file.
            var type = source.TryGetValue(name, out var own) ? dtype ?? own.dtype : dtype ?? target.dtype;
            target.SetData((own is null ? target.detach() : Fitting(own.detach(), target.shape)).to(type).to(device).clone());
        }

        return model;
    }

    /// <summary>The residuals of a batch. See <see cref="UNetResiduals"/>.</summary>
    /// <param name="inputs">As the UNet's.</param>
    /// <param name="picture">The control picture in 0 ... 1, [B, 3, H, W] or [1, 3, H, W], H = 8 · h, W = 8 · w.</param>
    /// <param name="scale">Factor of all residuals.</param>
    /// <returns>In the type that is computed in, with gradients where wanted.</returns>
    /// <exception cref="ArgumentException">A shape does not fit the options, or added conditions are missing or not wanted.</exception>
    public override UNetResiduals forward(ControlNetInputs inputs, Tensor picture, double scale)
    {
        CheckShapes(inputs, picture);
        using var scope = NewDisposeScope();
        var (sample, timesteps, text, added) = inputs;
        var dtype = ComputeType ?? conv_in.weight.dtype;
        var timeEmbedding = TimestepEmbedding.Of(
            Options.UNet, time_embedding, add_embedding, timesteps.expand(sample.size(0)), added, dtype);
        var contexts = new LayerContexts(text.to(dtype));
        var hidden = conv_in.call(sample.to(dtype)) + controlnet_cond_embedding.call(picture.to(dtype));

        var skips = new Stack<Tensor>([hidden]);
        foreach (var block in down_blocks) hidden = block.call(hidden, timeEmbedding, contexts.Take(block.Transformers), skips);
        hidden = mid_block.call(hidden, timeEmbedding, contexts.Take(1));
        var down = skips.Reverse().Select((skip, i) => Scaled(controlnet_down_blocks[i].call(skip), scale)).ToArray();
        var mid = Scaled(controlnet_mid_block.call(hidden), scale);
        foreach (var residual in down) residual.MoveToOuterDisposeScope();
        return new UNetResiduals(down, mid.MoveToOuterDisposeScope());
    }

    private Tensor Scaled(Tensor residual, double scale)
    {
        if (scale != 1) residual = residual * scale;
        return Options.GlobalPoolConditions ? residual.mean([2, 3], keepdim: true) : residual;
    }

    /// <summary>Channels of the skip connections: the input's, each resnet's, each downsampler's.</summary>
    internal static IEnumerable<int> SkipChannels(UNetOptions unet) =>
    [
        unet.BlockOutChannels[0],
        .. Enumerable.Range(0, unet.Levels).SelectMany(level => Enumerable.Repeat(
            unet.BlockOutChannels[level], unet.LayersPerBlock + (level < unet.Levels - 1 ? 1 : 0))),
    ];

    /// <summary>What makes a new ControlNet do nothing.</summary>
    private void ZeroEnds()
    {
        using var frozen = no_grad();
        foreach (var layer in (Conv2d[])[controlnet_cond_embedding.Last, .. controlnet_down_blocks, controlnet_mid_block])
        {
            // Parameters without memory are given some when they are loaded.
            if (!layer.weight.is_contiguous()) continue;
            layer.weight.zero_();
            layer.bias!.zero_();
        }
    }

    /// <summary>As PyTorch draws new convolutions: uniform within ±1/√fan-in.</summary>
    private void DrawPictureLayers(Generator random)
    {
        foreach (var layer in controlnet_cond_embedding.Drawn)
        {
            var bound = 1 / Math.Sqrt(layer.in_channels * layer.kernel_size[0] * layer.kernel_size[1]);
            layer.weight.uniform_(-bound, bound, random);
            layer.bias!.uniform_(-bound, bound, random);
        }
    }

    /// <summary>Of an inpainting model's nine input channels a ControlNet may take the first four.</summary>
    private static Tensor Fitting(Tensor own, long[] shape) =>
        own.shape.SequenceEqual(shape) ? own : own.narrow(1, 0, shape[1]);

    private void CheckShapes(ControlNetInputs inputs, Tensor picture)
    {
        var (sample, unet) = (inputs.Sample, Options.UNet);
        if (sample.dim() != 4 || sample.size(1) != unet.InChannels)
            throw Misfit(nameof(inputs.Sample), sample, $"[B, {unet.InChannels}, h, w]");
        var (batch, height, width) = (sample.size(0), sample.size(2) * Options.Downscale, sample.size(3) * Options.Downscale);
        if (inputs.Context.dim() is not (3 or 4) || inputs.Context.size(0) != batch || inputs.Context.size(-1) != unet.CrossAttentionDim)
            throw Misfit(nameof(inputs.Context), inputs.Context, $"[{batch}, L, {unet.CrossAttentionDim}]");
        if (add_embedding is null != inputs.Added is null)
            throw new ArgumentException(
                inputs.Added is null ? "Added is not set: this ControlNet needs the pooled text and the sizes, as its UNet (SDXL)."
                    : "Added is set: this ControlNet has no added conditions. Leave them out.", nameof(inputs));
        if (picture.dim() != 4 || (picture.size(0) != batch && picture.size(0) != 1) || picture.size(1) != Options.ConditioningChannels
            || picture.size(2) != height || picture.size(3) != width)
            throw Misfit(nameof(picture), picture, $"[{batch}, {Options.ConditioningChannels}, {height}, {width}]");
    }

    private static ArgumentException Misfit(string name, Tensor tensor, string wanted) =>
        new($"{name} is of shape [{string.Join(", ", tensor.shape)}]: this ControlNet takes {wanted}. Check that model, ControlNet and "
            + "picture belong together.", name);
}
