using StableTune.Imaging;

namespace StableTune.Preparation;

/// <summary>A tagger that ONNX Runtime runs; made by <see cref="WdTaggerOptions"/> and <see cref="DeepDanbooruOptions"/>.</summary>
public sealed class OnnxTagger : ITagger, IDisposable
{
    private readonly PictureNetwork _network;
    private readonly Func<PixelImage, PixelImage> _prepare;
    private readonly OnnxValue _output;
    private readonly bool _logits;

    internal OnnxTagger(PictureNetwork network, Func<PixelImage, PixelImage> prepare, TagVocabulary vocabulary, bool? logits,
        CancellationToken cancellationToken)
    {
        (_network, _prepare, Vocabulary) = (network, prepare, vocabulary);
        _output = OutputFor(vocabulary.Tags.Count, cancellationToken);
        _logits = logits ?? network.Model.Graph.IsLogits(_output.Name);
    }

    /// <summary>The tags that it knows, in the order of its outputs.</summary>
    public TagVocabulary Vocabulary { get; }

    /// <inheritdoc/>
    public PixelImage Prepare(PixelImage image)
    {
        ArgumentNullException.ThrowIfNull(image);
        return _prepare(image);
    }

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">The network failed.</exception>
    public IReadOnlyList<IReadOnlyList<ScoredTag>> Tag(IReadOnlyList<PixelImage> images, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(images);
        if (images.Count == 0) return [];
        var scores = _network.Run([.. images.Select(Prepare)], [_output.Name], null, cancellationToken)[0];
        return [.. scores.Pictures.Select(Scored)];
    }

    /// <summary>Frees the network.</summary>
    public void Dispose() => _network.Dispose();

    private IReadOnlyList<ScoredTag> Scored(float[] scores)
    {
        if (_logits)
            foreach (ref var score in scores.AsSpan()) score = 1 / (1 + MathF.Exp(-score));
        return Vocabulary.Scored(scores);
    }

    /// <summary>The output that has a number for each tag.</summary>
    private OnnxValue OutputFor(int tags, CancellationToken cancellationToken)
    {
        var model = _network.Model;
        if (model.Outputs.FirstOrDefault(output => Length(output) == tags) is { } fitting) return fitting;
        // Where the file does not say how many there are, a blank picture shows it.
        foreach (var output in model.Outputs.Where(output => Length(output) is null))
        {
            var blank = _prepare(new PixelImage(8, 8));
            if (_network.Trial(blank, output.Name, cancellationToken).Pictures[0].Length == tags) return output;
        }

        throw model.Unfit($"its outputs are {string.Join("; ", model.Outputs)}, but the list has {tags} tags: they do not belong together.",
            "Take the list of tags that came with the model.");
    }

    /// <summary>How many numbers an output has for a picture; null where the file does not say.</summary>
    private static int? Length(OnnxValue output)
    {
        if (output.Shape.Count < 2) return null;
        var sides = output.Shape.Skip(1).ToList();
        return sides.Exists(side => side < 1) ? null : sides.Aggregate(1, (product, side) => product * side);
    }
}
