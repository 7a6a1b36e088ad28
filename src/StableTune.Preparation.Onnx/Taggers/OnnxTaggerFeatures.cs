using StableTune.Imaging;

namespace StableTune.Preparation;

/// <summary>
/// What a tagger sees in images before it names tags, for sd-trainer's PFG: the input of its last layer, 768 numbers with the WD14 ViT
/// tagger. Made by <see cref="OnnxTaggerOptions.LoadFeatures"/>; <see cref="FeatureMaking"/> drives it over folders.
/// </summary>
public sealed class OnnxTaggerFeatures : IFeatureSource, IDisposable
{
    private readonly PictureNetwork _network;
    private readonly Func<PixelImage, PixelImage> _prepare;

    internal OnnxTaggerFeatures(PictureNetwork network, Func<PixelImage, PixelImage> prepare, string value,
        CancellationToken cancellationToken)
    {
        (_network, _prepare, Value) = (network, prepare, value);
        var output = _network.Trial(prepare(new PixelImage(8, 8)), value, cancellationToken);
        if (output.Shape.Count(side => side != 1) > 1)
            throw network.Model.Unfit(
                $"the value {value} is [{string.Join(", ", output.Shape)}] for a picture, and not one row of numbers.",
                "Name another value inside the network.");
        Count = output.Pictures[0].Length;
    }

    /// <summary>The name of the value inside the network.</summary>
    public string Value { get; }

    /// <summary>How many numbers there are for an image.</summary>
    public int Count { get; }

    /// <inheritdoc/>
    public PixelImage Prepare(PixelImage image)
    {
        ArgumentNullException.ThrowIfNull(image);
        return _prepare(image);
    }

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">The network failed.</exception>
    public IReadOnlyList<float[]> Features(IReadOnlyList<PixelImage> images, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(images);
        return images.Count == 0 ? [] : _network.Run([.. images.Select(Prepare)], [Value], null, cancellationToken)[0].Pictures;
    }

    /// <summary>Frees the network.</summary>
    public void Dispose() => _network.Dispose();
}
