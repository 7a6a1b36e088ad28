using StableTune.Tensors;

namespace StableTune.Data;

/// <summary>Text encoders with their tokenizers, as far as the data needs them.</summary>
public interface ITextEncoder
{
    /// <summary>What tells its outputs from those of other encoders in files; by default nothing does.</summary>
    TextIdentity Identity => new();

    /// <summary>Encodes captions. Called without gradients, and with a dispose scope open: the result may belong to it.</summary>
    /// <param name="captions">Any captions, also empty ones, [B].</param>
    /// <returns>Their features, on any device; L is the same for all captions.</returns>
    TextConditions Encode(IReadOnlyList<string> captions);
}

/// <summary>
/// The text encoder's output for every caption of a data set, in memory or in files: the encoder runs once for each different caption, or
/// not at all where files are left from an earlier run. Possible only where no option makes captions differ from use to use. Images whose
/// outputs came with the data set (<see cref="DatasetItem.TextOutputsPath"/>) have no part in it.
/// </summary>
public sealed class TextOutputCache : IDisposable
{
    private readonly Dictionary<string, TextConditions> _features = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _paths = new(StringComparer.Ordinal);
    private readonly Dictionary<string, List<string>> _images = new(StringComparer.Ordinal);
    private readonly CacheOptions _options;
    private readonly TextStore? _store;
    private List<string> _missing;

    private TextOutputCache(TrainingDataset dataset, TextIdentity encoder, CacheOptions options)
    {
        (_options, _store) = (options, options.TextEncoderOutputsToDisk ? new TextStore(encoder, options) : null);
        // Nothing varies, so any use gives the caption of all uses.
        var use = new CaptionUse(1, 0, 0, new RandomStream(0));
        _missing = [];
        foreach (var sample in Encoded(dataset))
        {
            var caption = sample.Captions.Apply(sample.Caption, use);
            if (!_images.TryGetValue(caption, out var images))
            {
                _images[caption] = images = [];
                _missing.Add(caption);
            }

            images.Add(sample.Path);
        }

        _store?.Settle(_images.Select(entry => (entry.Key, entry.Value.AsEnumerable())));
    }

    /// <summary>Different captions that are cached.</summary>
    public int Count => _features.Count + _paths.Count;

    /// <summary>The captions that are still to be encoded.</summary>
    public IReadOnlyList<string> Missing => _missing;

    /// <summary>What was found when the cache was opened.</summary>
    public CacheReport Report { get; private set; } = new(0, 0);

    /// <summary>
    /// What prevents caching: one problem for each option that makes captions differ from use to use. Empty when it is possible.
    /// </summary>
    public static IEnumerable<OptionProblem> Validate(TrainingDataset dataset)
    {
        ArgumentNullException.ThrowIfNull(dataset);
        return Encoded(dataset).Select(sample => sample.Captions).Distinct().SelectMany(captions => captions.VaryingOptions).Distinct()
            .Select(varying => new OptionProblem(varying.Option, varying.Value,
                "captions that differ from use to use cannot be encoded once", "turn it off, or do not cache text encoder outputs"));
    }

    /// <summary>
    /// What of the outputs that came with the data set (<see cref="DatasetItem.TextOutputsPath"/>) does not fit a model. Reads the
    /// header of one file: those of a data set are alike. Empty where all fit, and where there are none.
    /// </summary>
    /// <param name="dataset">The data set; of several each is looked at.</param>
    /// <param name="width">Channels of the text that the model attends to, C.</param>
    /// <param name="pooledWidth">Channels of the pooled text that it takes, D; null where it takes none, as all but SDXL.</param>
    public static IEnumerable<OptionProblem> ValidatePrecomputed(TrainingDataset dataset, int width, int? pooledWidth)
    {
        ArgumentNullException.ThrowIfNull(dataset);
        return dataset.Parts.SelectMany(part => PrecomputedTextOutputs.Misfits(part.Samples[0].Item.TextOutputsPath, width, pooledWidth));
    }

    private static IEnumerable<TrainingSample> Encoded(TrainingDataset dataset) =>
        dataset.Samples.Where(sample => sample.Item.TextOutputsPath is null);

    /// <summary>Outputs beside images need images that are files.</summary>
    private static IEnumerable<OptionProblem> WithoutPlace(TrainingDataset dataset, CacheOptions options)
    {
        if (options is { TextEncoderOutputsToDisk: true, Directory: null }
            && Encoded(dataset).FirstOrDefault(sample => sample.Item.Image is not null) is { } image)
            yield return new("CacheOptions.TextEncoderOutputsToDisk", true,
                $"the image \"{image.Path}\" is no file, beside which its text could be kept", "set Directory, or keep them in memory");
    }

    /// <summary>
    /// Looks for the outputs of all captions, before a text encoder is there: when <see cref="Missing"/> is empty it need not be loaded,
    /// otherwise <see cref="Fill"/> completes the cache. What no longer fits, or cannot be read, counts as missing.
    /// </summary>
    /// <param name="dataset">The data set.</param>
    /// <param name="encoder">Which encoder the outputs must be from.</param>
    /// <param name="options">Where files are, and how they are looked at; null takes the defaults: none, all in memory.</param>
    /// <exception cref="InvalidOptionsException">The options cannot work, or one makes captions differ from use to use; see
    /// <see cref="Validate"/>.</exception>
    public static TextOutputCache Open(TrainingDataset dataset, TextIdentity encoder, CacheOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(dataset);
        ArgumentNullException.ThrowIfNull(encoder);
        options ??= new();
        InvalidOptionsException.ThrowIfAny([.. options.Validate(), .. Validate(dataset), .. WithoutPlace(dataset, options)]);
        var cache = new TextOutputCache(dataset, encoder, options);
        cache.Look();
        return cache;
    }

    /// <summary>Opens the cache and fills it: each different caption that is not in files is encoded once.</summary>
    /// <param name="dataset">The data set.</param>
    /// <param name="encoder">The text encoder; frozen.</param>
    /// <param name="options">Null takes the defaults.</param>
    /// <param name="progress">Told after each call; counts captions.</param>
    /// <param name="cancellationToken">Ends the work; what was cached in memory is freed.</param>
    /// <exception cref="InvalidOptionsException">As for <see cref="Open"/>.</exception>
    public static TextOutputCache Build(TrainingDataset dataset, ITextEncoder encoder, CacheOptions? options = null,
        IProgress<WorkProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(encoder);
        var cache = Open(dataset, encoder.Identity, options);
        try
        {
            cache.Fill(encoder, progress, cancellationToken);
            return cache;
        }
        catch
        {
            cache.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Encodes what is missing. What was encoded stays when the work is ended: another call, or the next run where it is in files, goes on
    /// from there.
    /// </summary>
    /// <param name="encoder">As for <see cref="Build"/>.</param>
    /// <param name="progress">As for <see cref="Build"/>.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    public void Fill(ITextEncoder encoder, IProgress<WorkProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(encoder);
        var (done, missing) = (0, _missing);
        try
        {
            foreach (var part in missing.Chunk(_options.TextEncoderBatchSize))
            {
                cancellationToken.ThrowIfCancellationRequested();
                Encode(part, encoder);
                progress?.Report(new() { Stage = "caching text encoder outputs", Done = done += part.Length, Total = missing.Count });
            }
        }
        finally
        {
            _missing = [.. missing.Where(caption => !_features.ContainsKey(caption) && !_paths.ContainsKey(caption))];
        }
    }

    /// <summary>As <see cref="Fill"/>, shared with other processes that fill the same cache.</summary>
    internal void FillShared(ICacheSharing sharing, Func<ITextEncoder> encoder, IProgress<WorkProgress>? progress,
        CancellationToken cancellationToken)
    {
        // The order of all captions is that of the data set, the same in all processes, whatever each of them misses.
        var places = _images.Keys.Select((caption, place) => (caption, place)).ToDictionary(pair => pair.caption, pair => pair.place);
        var missing = _missing;
        if (_store is { } store)
            SharedFilling.InFiles(sharing, missing, caption => places[caption], Compute, captions =>
            {
                foreach (var caption in captions)
                    if (Look(store, caption) is { State: CacheState.Present } found) _paths[caption] = found.Path;
                return [.. captions.Where(caption => !_paths.ContainsKey(caption))];
            });
        else
            SharedFilling.InMemory(sharing, missing, Compute, (writer, caption) =>
            {
                SharedFilling.Write(writer, _features[caption].Context);
                SharedFilling.Write(writer, _features[caption].Pooled);
            }, (reader, caption) =>
                _features.Add(caption, new(SharedFilling.Read(reader)!, SharedFilling.Read(reader))));
        _missing = [];

        void Compute(IReadOnlyList<string> captions)
        {
            var done = 0;
            foreach (var part in captions.Chunk(_options.TextEncoderBatchSize))
            {
                cancellationToken.ThrowIfCancellationRequested();
                Encode(part, encoder());
                progress?.Report(new() { Stage = "caching text encoder outputs", Done = done += part.Length, Total = captions.Count });
            }
        }
    }

    /// <summary>Puts cached features together.</summary>
    /// <param name="captions">Captions of the data set, [B].</param>
    /// <returns>New tensors: [B, L, C], and [B, D] where the encoder pools.</returns>
    /// <exception cref="KeyNotFoundException">A caption was not cached.</exception>
    /// <exception cref="InvalidFileException">A file was changed or removed since the cache was opened.</exception>
    public TextConditions Collate(IReadOnlyList<string> captions)
    {
        ArgumentNullException.ThrowIfNull(captions);
        var read = new Dictionary<string, TextConditions>(StringComparer.Ordinal);
        try
        {
            TextConditions[] found = [.. captions.Select(caption => Find(caption, read))];
            return new(stack([.. found.Select(one => one.Context)]), found[0].Pooled is null ? null
                : stack([.. found.Select(one => one.Pooled!)]));
        }
        finally
        {
            foreach (var one in read.Values) one.Dispose();
        }
    }

    /// <summary>Frees the features in memory.</summary>
    public void Dispose()
    {
        foreach (var features in _features.Values) features.Dispose();
        _features.Clear();
        _paths.Clear();
    }

    private TextConditions Find(string caption, Dictionary<string, TextConditions> read)
    {
        if (_features.TryGetValue(caption, out var features) || read.TryGetValue(caption, out features)) return features;
        if (!_paths.TryGetValue(caption, out var path))
            throw new KeyNotFoundException(
                $"The caption \"{caption}\" was not cached: the cache belongs to another data set, or it was freed.");
        return read[caption] = _store!.Read(path);
    }

    private void Look()
    {
        if (_store is not { } store) return;
        var (captions, findings) = (_missing, new CacheFinding[_missing.Count]);
        Parallel.For(0, findings.Length, i => findings[i] = Look(store, captions[i]));
        foreach (var (caption, finding) in captions.Zip(findings))
            if (finding.State == CacheState.Present) _paths[caption] = finding.Path;
        _missing = [.. _missing.Where(caption => !_paths.ContainsKey(caption))];
        Report = CacheReport.Of(findings, "cached text encoder outputs");
    }

    /// <summary>One file serves all images with this caption; the worst that was seen is told when none does.</summary>
    private CacheFinding Look(TextStore store, string caption)
    {
        CacheFinding? worst = null;
        foreach (var path in store.PathsOf(caption, _images[caption]))
        {
            var found = store.Find(path, caption);
            if (found.State == CacheState.Present) return found;
            if (worst is null || found.State > worst.State) worst = found;
        }

        return worst!;
    }

    private void Encode(string[] captions, ITextEncoder encoder)
    {
        using var scope = NewDisposeScope();
        using var withoutGradients = no_grad();
        var features = encoder.Encode(captions);
        var (hiddenStates, pooled) = (features.Context.cpu(), features.Pooled?.cpu());
        for (var i = 0; i < captions.Length; i++)
        {
            if (_store is null)
            {
                _features.Add(captions[i],
                    new(hiddenStates[i].clone().DetachFromDisposeScope(), pooled?[i].clone().DetachFromDisposeScope()));
                continue;
            }

            foreach (var path in _store.PathsOf(captions[i], _images[captions[i]]).Distinct())
            {
                _store.Write(path, captions[i], hiddenStates[i].to(ScalarType.Float32), pooled?[i].to(ScalarType.Float32));
                _paths[captions[i]] = path;
            }
        }
    }
}
