using System.IO.Hashing;
using System.Security.Cryptography;
using StableTune.Imaging;
using StableTune.Models;

namespace StableTune.Preparation;

/// <summary>Describes images with BLIP, in process: what sd-scripts' <c>make_captions</c> does.</summary>
/// <remarks>
/// Li et al. 2022, arXiv:2201.12086. Images are resized to a square as Pillow's bicubic filter does, whatever their shape. Not for several
/// threads at once, but for <see cref="Prepare"/>.
/// </remarks>
public sealed class BlipCaptioner : ICaptioner, IDisposable
{
    private readonly BlipLanguage _language;
    private readonly int[] _prompt;
    private readonly NamedSeeds _seeds;
    private float[][]? _values;

    /// <summary>A captioner of a model that is in memory.</summary>
    /// <param name="model">The model; from now on this object's to dispose. Its gradients should be off.</param>
    /// <param name="language">How it spells.</param>
    /// <param name="options">How it describes; what concerns loading is not looked at. Null for the defaults.</param>
    /// <exception cref="InvalidOptionsException">The options cannot work, or not with this model.</exception>
    /// <exception cref="ArgumentException">The language has tokens that the model does not know.</exception>
    public BlipCaptioner(BlipModel model, BlipLanguage language, BlipCaptionerOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(language);
        Options = options ?? new();
        InvalidOptionsException.ThrowIfAny(Options.Validate());
        (Model, _language, _prompt) = (model, language, language.Prompt(Options.Prompt));
        model.Check(new(_prompt, language.End), Options.Decoding);
        _seeds = new(Options.Seed ?? BitConverter.ToInt64(RandomNumberGenerator.GetBytes(sizeof(long))));
    }

    /// <summary>How it describes.</summary>
    public BlipCaptionerOptions Options { get; }

    /// <summary>The model.</summary>
    public BlipModel Model { get; }

    /// <summary>Mean of the colours, 0 to 1, which is subtracted.</summary>
    internal float[] Mean { get; init; } = [0.48145466f, 0.4578275f, 0.40821073f];

    /// <summary>Spread of the colours, which is divided by.</summary>
    internal float[] Spread { get; init; } = [0.26862954f, 0.26130258f, 0.27577711f];

    /// <summary>Loads a model.</summary>
    /// <param name="model">
    /// A name on the hub such as <c>Salesforce/blip-image-captioning-base</c>, a folder of that layout, or a file of the original such as
    /// <c>model_large_caption.pth</c>.
    /// </param>
    /// <param name="options">How it describes, and what no file says; null for the defaults.</param>
    /// <param name="progress">Told of downloads and of loading.</param>
    /// <param name="cancellationToken">Ends it; what was downloaded stays.</param>
    /// <exception cref="InvalidOptionsException">The options cannot work, or not with this model.</exception>
    /// <exception cref="InvalidFileException">There is no such model, or its files are faulty or do not belong together.</exception>
    public static BlipCaptioner Load(
        string model, BlipCaptionerOptions? options = null, IProgress<WorkProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(model);
        options ??= new();
        InvalidOptionsException.ThrowIfAny(options.Validate());
        return BlipLoader.Load(model, options, progress, cancellationToken);
    }

    /// <inheritdoc/>
    public PixelImage Prepare(PixelImage image)
    {
        ArgumentNullException.ThrowIfNull(image);
        var side = Model.Options.Vision.ImageSize;
        return ImageResize.Resize(image, side, side, Interpolation.PillowBicubic);
    }

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">The model's scores are no finite numbers: mostly it overflows in half precision, and
    /// <see cref="BlipCaptionerOptions.WeightType"/> float32 helps.</exception>
    public IReadOnlyList<string> Caption(IReadOnlyList<PixelImage> images, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(images);
        if (images.Count == 0) return [];
        PixelImage[] prepared = [.. images.Select(Prepare)];
        using var scope = NewDisposeScope();
        var texts = Model.Generate(Pixels(prepared), new(_prompt, _language.End, Seeds(prepared), cancellationToken), Options.Decoding);
        return [.. texts.Select(found => _language.Caption(found[0].Ids, Options.KeepPrompt ? 0 : Options.Prompt.Length))];
    }

    /// <summary>Pictures as the network takes them.</summary>
    /// <param name="images">RGB, of the size that it takes.</param>
    /// <returns>[B, 3, S, S], float32, in the caller's scope.</returns>
    internal Tensor Pixels(IReadOnlyList<PixelImage> images)
    {
        _values ??= [.. Enumerable.Range(0, 3).Select(channel =>
            Enumerable.Range(0, 256).Select(value => ((value / 255f) - Mean[channel]) / Spread[channel]).ToArray())];
        var side = Model.Options.Vision.ImageSize;
        var plane = side * side;
        var values = new float[images.Count * 3 * plane];
        Parallel.For(0, images.Count * 3, part =>
        {
            var (image, channel) = (images[part / 3], part % 3);
            var (table, pixels) = (_values[channel], image.Pixels);
            var target = values.AsSpan(part * plane, plane);
            for (int i = 0, at = channel; i < plane; i++, at += image.Channels) target[i] = table[pixels[at]];
        });
        return tensor(values, [images.Count, 3, side, side]);
    }

    /// <summary>A seed for each image, by its pixels: what is captioned beside it, and in which order, does not matter.</summary>
    private long[]? Seeds(PixelImage[] images) => !Options.Decoding.IsRandom ? null
        : [.. images.Select(image => _seeds.For("captions", unchecked((long)XxHash3.HashToUInt64(image.Pixels))))];

    /// <summary>Disposes of the model.</summary>
    public void Dispose() => Model.Dispose();
}
