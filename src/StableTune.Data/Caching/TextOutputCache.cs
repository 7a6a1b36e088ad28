namespace StableTune.Data;

/// <summary>What text encoders make of captions.</summary>
/// <param name="HiddenStates">Given to cross-attention, [B, L, C].</param>
/// <param name="PooledEmbeds">The pooled output where the model uses one (SDXL), [B, D]; otherwise null.</param>
public sealed record TextFeatures(Tensor HiddenStates, Tensor? PooledEmbeds = null);

/// <summary>Text encoders with their tokenizers, as far as the data needs them.</summary>
public interface ITextEncoder
{
    /// <summary>Encodes captions. Called without gradients, and with a dispose scope open: the result may belong to it.</summary>
    /// <param name="captions">Any captions, also empty ones, [B].</param>
    /// <returns>Their features, on any device; L is the same for all captions.</returns>
    TextFeatures Encode(IReadOnlyList<string> captions);
}

/// <summary>
/// The text encoder's output for every caption of a data set, in host memory: the encoder runs once for each different caption and
/// can then be freed. Possible only where no option makes captions differ from use to use.
/// </summary>
public sealed class TextOutputCache : IDisposable
{
    private readonly Dictionary<string, TextFeatures> _features = new(StringComparer.Ordinal);

    private TextOutputCache()
    {
    }

    /// <summary>Different captions that are cached.</summary>
    public int Count => _features.Count;

    /// <summary>What prevents caching: one problem for each option that makes captions differ from use to use. Empty when it is possible.</summary>
    public static IEnumerable<OptionProblem> Validate(TrainingDataset dataset)
    {
        ArgumentNullException.ThrowIfNull(dataset);
        return dataset.Samples.Select(sample => sample.Captions).Distinct().SelectMany(captions => captions.VaryingOptions).Distinct()
            .Select(varying => new OptionProblem(varying.Option, varying.Value,
                "captions that differ from use to use cannot be encoded once", "turn it off, or do not cache text encoder outputs"));
    }

    /// <summary>Encodes every different caption once.</summary>
    /// <param name="dataset">The data set.</param>
    /// <param name="encoder">The text encoder; frozen.</param>
    /// <param name="batchSize">Captions to one call of the encoder.</param>
    /// <param name="progress">Told after each call; counts captions.</param>
    /// <param name="cancellationToken">Ends the work; what was cached is freed.</param>
    /// <exception cref="InvalidOptionsException">An option makes captions differ from use to use; see <see cref="Validate"/>.</exception>
    public static TextOutputCache Build(TrainingDataset dataset, ITextEncoder encoder, int batchSize = 8,
        IProgress<TrainingProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(encoder);
        ArgumentOutOfRangeException.ThrowIfLessThan(batchSize, 1);
        InvalidOptionsException.ThrowIfAny(Validate(dataset));
        var cache = new TextOutputCache();
        try
        {
            // Nothing varies, so any use gives the caption of all uses.
            var use = new CaptionUse(1, 0, 0, new RandomStream(0));
            string[] captions = [.. dataset.Samples.Select(sample => sample.Captions.Apply(sample.Caption, use)).Distinct(StringComparer.Ordinal)];
            foreach (var part in captions.Chunk(batchSize))
            {
                cancellationToken.ThrowIfCancellationRequested();
                cache.Encode(part, encoder);
                progress?.Report(new() { Stage = "caching text encoder outputs", Step = cache.Count, TotalSteps = captions.Length });
            }

            return cache;
        }
        catch
        {
            cache.Dispose();
            throw;
        }
    }

    /// <summary>Puts cached features together.</summary>
    /// <param name="captions">Captions of the data set, [B].</param>
    /// <returns>New tensors: [B, L, C], and [B, D] where the encoder pools.</returns>
    /// <exception cref="KeyNotFoundException">A caption was not cached.</exception>
    public TextFeatures Collate(IReadOnlyList<string> captions)
    {
        ArgumentNullException.ThrowIfNull(captions);
        TextFeatures[] found = [.. captions.Select(caption => _features.TryGetValue(caption, out var features) ? features
            : throw new KeyNotFoundException($"The caption \"{caption}\" was not cached: the cache belongs to another data set, or it was freed."))];
        return new(stack([.. found.Select(one => one.HiddenStates)]),
            found[0].PooledEmbeds is null ? null : stack([.. found.Select(one => one.PooledEmbeds!)]));
    }

    /// <summary>Frees the features.</summary>
    public void Dispose()
    {
        foreach (var features in _features.Values)
        {
            features.HiddenStates.Dispose();
            features.PooledEmbeds?.Dispose();
        }

        _features.Clear();
    }

    private void Encode(string[] captions, ITextEncoder encoder)
    {
        using var scope = NewDisposeScope();
        using var withoutGradients = no_grad();
        var features = encoder.Encode(captions);
        var (hiddenStates, pooled) = (features.HiddenStates.cpu(), features.PooledEmbeds?.cpu());
        for (var i = 0; i < captions.Length; i++)
            _features.Add(captions[i], new(hiddenStates[i].clone().DetachFromDisposeScope(), pooled?[i].clone().DetachFromDisposeScope()));
    }
}
