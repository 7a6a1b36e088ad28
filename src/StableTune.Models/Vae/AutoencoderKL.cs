using StableTune.Tensors;

namespace StableTune.Models;

/// <summary>Images to latents and back: the variational autoencoder in front of the UNet.</summary>
/// <remarks>
/// Rombach et al., arXiv:2112.10752. Module and parameter names are those of diffusers' <c>AutoencoderKL</c>. Latents are unscaled here;
/// the UNet works on latents times <see cref="VaeOptions.ScalingFactor"/>. It computes in the dtype of its weights, norms and softmax
/// in float32, and answers in the dtype of its input.
/// </remarks>
public sealed class AutoencoderKL : nn.Module<Tensor, Tensor>
{
    private readonly Encoder encoder;
    private readonly Decoder decoder;
    private readonly Conv2d quant_conv;
    private readonly Conv2d post_quant_conv;
    private readonly ForwardSettings _settings = new();

    /// <summary>Creates the model with random weights (or undefined ones, within <c>LayerInitialization.Skip()</c>).</summary>
    /// <exception cref="InvalidOptionsException">The options cannot work.</exception>
    public AutoencoderKL(VaeOptions options) : base(nameof(AutoencoderKL))
    {
        InvalidOptionsException.ThrowIfAny(options.Validate());
        Options = options;
        encoder = new Encoder(options, _settings);
        decoder = new Decoder(options, _settings);
        quant_conv = new Conv2d(2 * options.LatentChannels, 2 * options.LatentChannels, 1);
        post_quant_conv = new Conv2d(options.LatentChannels, options.LatentChannels, 1);
        RegisterComponents();
    }

    /// <summary>The architecture and the scaling factor.</summary>
    public VaeOptions Options { get; }

    /// <summary>Whether a batch is encoded and decoded one sample at a time: the memory of a batch of one. Off by default.</summary>
    public bool UseSlicing { get; set; }

    /// <summary>Encodes and decodes larger pictures in tiles, which bounds the memory; null, the default, does each as a whole.</summary>
    public VaeTilingOptions? Tiling
    {
        get;
        set
        {
            InvalidOptionsException.ThrowIfAny(value?.Validate() ?? []);
            field = value;
        }
    }

    /// <summary>Whether each resnet keeps only its input for the backward pass. See
    /// <see cref="UNet2DConditionModel.GradientCheckpointing"/>.</summary>
    public bool GradientCheckpointing
    {
        get => _settings.GradientCheckpointing;
        set => _settings.GradientCheckpointing = value;
    }

    /// <summary>See <see cref="UNet2DConditionModel.RecomputeActivations"/>.</summary>
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

    /// <summary>The type that products are computed in; null, the default, for the type of the weights. See
    /// <see cref="UNet2DConditionModel.ComputeType"/>.</summary>
    public ScalarType? ComputeType { get; set; }

    /// <summary>Encodes images.</summary>
    /// <param name="pixels">Images in -1 ... 1, [B, 3, H, W]. H and W should be multiples of 8; what is over is cut off by the
    /// levels.</param>
    /// <returns>The distribution of the unscaled latents, each tensor [B, 4, H/8, W/8].</returns>
    /// <exception cref="ArgumentException">The tensor does not have the shape of images.</exception>
    public LatentDistribution Encode(Tensor pixels)
    {
        Check(pixels, nameof(pixels), Options.InChannels);
        using var scope = NewDisposeScope();
        var moments = PerSlice(pixels, EncodeTiles).chunk(2, 1);
        var mean = moments[0].contiguous();
        return new LatentDistribution(mean.MoveToOuterDisposeScope(), moments[1].clamp(-30, 20).MoveToOuterDisposeScope());
    }

    /// <summary>Decodes latents.</summary>
    /// <param name="unscaledLatents">Latents divided by the scaling factor, [B, 4, h, w].</param>
    /// <returns>Images, about -1 ... 1 and not clamped, [B, 3, 8h, 8w].</returns>
    /// <exception cref="ArgumentException">The tensor does not have the shape of latents.</exception>
    public Tensor Decode(Tensor unscaledLatents)
    {
        Check(unscaledLatents, nameof(unscaledLatents), Options.LatentChannels);
        using var scope = NewDisposeScope();
        return PerSlice(unscaledLatents, DecodeTiles).MoveToOuterDisposeScope();
    }

    /// <summary>Encodes to the mean and decodes it: the reconstruction of images [B, 3, H, W].</summary>
    public override Tensor forward(Tensor pixels)
    {
        using var scope = NewDisposeScope();
        return Decode(Encode(pixels).Mean).MoveToOuterDisposeScope();
    }

    private Tensor EncodeTiles(Tensor pixels)
    {
        Tensor Encode(Tensor tile) => tile.Through([encoder.call, quant_conv.call]);
        if (Tiling is not { } tiling) return Encode(pixels);
        var (height, width) = (Whole(pixels.size(2)), Whole(pixels.size(3)));
        return VaeTiles.OfPixels(tiling, Options.Downscale).Run(pixels.narrow(2, 0, height).narrow(3, 0, width), Encode);
    }

    private Tensor DecodeTiles(Tensor latents)
    {
        Tensor Decode(Tensor tile) => tile.Through([post_quant_conv.call, decoder.call]);
        return Tiling is { } tiling ? VaeTiles.OfLatents(tiling, Options.Downscale).Run(latents, Decode) : Decode(latents);
    }

    /// <summary>A side without what the levels cut off.</summary>
    private long Whole(long side) => side < Options.Downscale ? side : side / Options.Downscale * Options.Downscale;

    private Tensor PerSlice(Tensor input, Func<Tensor, Tensor> run)
    {
        var dtype = ComputeType ?? quant_conv.weight.dtype;
        if (!UseSlicing || input.size(0) == 1) return run(input.to(dtype)).to(input.dtype);
        var results = input.split(1).Select(slice =>
        {
            using var scope = NewDisposeScope();
            return run(slice.to(dtype)).to(input.dtype).MoveToOuterDisposeScope();
        }).ToList();
        return cat(results, 0);
    }

    private static void Check(Tensor tensor, string name, int channels)
    {
        if (tensor.dim() != 4 || tensor.size(1) != channels)
        {
            throw new ArgumentException(
                $"{name} is of shape [{string.Join(", ", tensor.shape)}]: this model takes [B, {channels}, height, width]. Check the "
                    + $"order of the dimensions.", name);
        }
    }
}
