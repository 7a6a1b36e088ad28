using StableTune.Imaging;

namespace StableTune.Preparation;

/// <summary>What a network of masks wants pictures scaled to.</summary>
public enum PictureScaling
{
    /// <summary>In [0, 1], with ImageNet's means and deviations: U²-Net, SILUETA, BiRefNet.</summary>
    ImageNet,

    /// <summary>In [-0.5, 0.5]: IS-Net, RMBG.</summary>
    Centered,
}

/// <summary>A network that tells what is in front from what is behind, as rembg runs them: U²-Net, IS-Net, BiRefNet, in an ONNX
/// file.</summary>
public sealed record ForegroundMaskOptions : OnnxModelOptions
{
    /// <summary>
    /// What pictures are scaled to; null, the default, takes <see cref="PictureScaling.Centered"/> for networks of 1024 x 1024 pixels that
    /// end in a sigmoid, as IS-Net does, and <see cref="PictureScaling.ImageNet"/> for others, as BiRefNet. Networks that scale pictures
    /// themselves get them as they are.
    /// </summary>
    public PictureScaling? Scaling { get; init; }

    /// <summary>From which share on a place counts wholly, and below not at all, in [0, 1]; null, the default, leaves shares.</summary>
    public float? Threshold { get; init; }

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        foreach (var problem in base.Validate()) yield return problem;
        if (Threshold is { } threshold && !(threshold is >= 0 and <= 1))
            yield return Problem(Threshold, "a share lies in [0, 1]", "leave it unset for soft masks");
        if (Scaling is { } scaling && !Enum.IsDefined(scaling))
            yield return Problem(Scaling, "there is no such scaling", "leave it unset");
    }

    /// <summary>Opens the source of masks, and downloads it where it is missing.</summary>
    /// <param name="progress">Told of downloads.</param>
    /// <param name="cancellationToken">Ends a download.</param>
    /// <returns>The source; the caller frees it.</returns>
    /// <exception cref="InvalidOptionsException">The options cannot work, or ONNX Runtime refuses what
    /// <see cref="OnnxModelOptions.Configure"/> sets.</exception>
    /// <exception cref="InvalidFileException">The model is missing, damaged, or of another kind.</exception>
    /// <exception cref="Hub.HubException">The hub has no such model, or was not reached.</exception>
    /// <exception cref="NotSupportedException">ONNX Runtime's native library cannot be loaded.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public ForegroundMasks Load(IProgress<WorkProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        InvalidOptionsException.ThrowIfAny(Validate());
        return OnnxModel.Open(OnnxModelFiles.Find(this, progress, cancellationToken), this, Made);
    }

    private ForegroundMasks Made(OnnxModel model)
    {
        var input = PictureInput.Of(model);
        // BiRefNet's exports have the same size as IS-Net's, but leave the sigmoid to the caller.
        var isCentered = input.Width == 1024 && !model.Graph.IsLogits(model.Outputs[0].Name);
        var chosen = Scaling ?? (isCentered ? PictureScaling.Centered : PictureScaling.ImageNet);
        var scaling = model.Graph.Normalises(input.Value.Name) ? PixelScaling.Bytes
            : chosen == PictureScaling.Centered ? PixelScaling.Of((0.5f, 0.5f, 0.5f), (1, 1, 1)) : OnnxMasks.ImageNet;
        return new(new PictureNetwork(model, input, scaling, bgr: false), Threshold);
    }
}

/// <summary>Masks of what is in front; made by <see cref="ForegroundMaskOptions"/>.</summary>
public sealed class ForegroundMasks : IMaskSource, IDisposable
{
    private const int UsualSize = 320;

    private readonly PictureNetwork _network;
    private readonly float? _threshold;
    private readonly bool _logits;

    internal ForegroundMasks(PictureNetwork network, float? threshold)
    {
        (_network, _threshold) = (network, threshold);
        _logits = network.Model.Graph.IsLogits(Output);
    }

    // These networks have several outputs, of which the first is the finest.
    private string Output => _network.Model.Outputs[0].Name;

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">The network failed.</exception>
    public IReadOnlyList<PixelImage?> Masks(IReadOnlyList<PixelImage> images, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(images);
        if (images.Count == 0) return [];
        var shown = OnnxMasks.Resized(images, _network.Input, UsualSize, Interpolation.Lanczos);
        var output = _network.Run(shown, [Output], null, cancellationToken)[0];
        var size = OnnxMasks.SizeOf(_network.Model, output);
        return [.. images.Select((image, i) => Mask(output.Pictures[i], size, image.Size))];
    }

    /// <summary>Frees the network.</summary>
    public void Dispose() => _network.Dispose();

    private PixelImage? Mask(float[] values, PixelSize size, PixelSize image)
    {
        if (_logits) OnnxMasks.Sigmoid(values);
        // rembg stretches the shares of each image to [0, 1].
        var (least, most) = (values.Min(), values.Max());
        if (!(most > least)) return null;
        foreach (ref var value in values.AsSpan()) value = (value - least) / (most - least);
        return OnnxMasks.Of(values, size, image, Interpolation.Lanczos, _threshold);
    }
}
