namespace StableTune.Data;

/// <summary>Gathers what the preview of a data set shows.</summary>
internal static class DatasetPreview
{
    internal static void Write(TrainingDataset dataset, string path, PreviewOptions options, IProgress<WorkProgress>? progress,
        CancellationToken cancellationToken)
    {
        InvalidOptionsException.ThrowIfAny(options.Validate());
        if (!options.Overwrite && File.Exists(path))
            throw new InvalidOptionsException([new OptionProblem($"{nameof(PreviewOptions)}.{nameof(PreviewOptions.Overwrite)}", false,
                $"there is a file '{path}' already", "give another path, or set Overwrite")]);
        var seeds = new NamedSeeds(options.EffectiveSeed);
        EpochPlan[] epochs = [.. Enumerable.Range(1, options.Epochs).Select(epoch => EpochPlan.Create(dataset, seeds, epoch))];
        var shown = Shown(dataset, options.MaxImages);
        var uses = shown.ToDictionary(sample => sample.Index, _ => new List<PreviewUse>());
        var draws = new Dictionary<int, ImageDraw>();
        foreach (var epoch in epochs) Note(epoch, options, uses, draws);

        var (cards, looked) = (new PreviewCard[shown.Count], new DatasetCheck.Looked[shown.Count]);
        // Pixels are looked at for the findings only where all images are shown, and so read, anyway.
        var (looks, done) = (options.Check.ReadPixels && shown.Count == dataset.Samples.Count, 0);
        Parallel.For(0, shown.Count, new ParallelOptions { CancellationToken = cancellationToken }, i =>
        {
            var files = SampleFiles.Read(shown[i]);
            cards[i] = PreviewCard.Make(files, uses[shown[i].Index], draws.GetValueOrDefault(shown[i].Index) ?? ImageDraw.Plain(shown[i]),
                options.ThumbnailSide);
            if (looks) looked[i] = DatasetCheck.Looked.At(files);
            progress?.Report(new() { Stage = "drawing the preview", Done = Interlocked.Increment(ref done), Total = shown.Count });
        });
        var findings = DatasetCheck.Run(dataset, options.Check, looks ? [.. looked, .. HeldOut(dataset, cancellationToken)] : []);
        AtomicFile.WriteText(path, PreviewPage.Write(dataset, options, cards, findings));
    }

    /// <summary>Images that are held out have no cards, so that they are read for the findings alone.</summary>
    private static List<DatasetCheck.Looked> HeldOut(TrainingDataset dataset, CancellationToken cancellationToken) =>
        dataset.Validation is not { } held ? []
            : SampleFiles.ReadAll(held.Samples, "checking the data set", DatasetCheck.Looked.At, null, cancellationToken);

    /// <summary>The images shown: all, or of each bucket its share.</summary>
    private static List<TrainingSample> Shown(TrainingDataset dataset, int most)
    {
        if (dataset.Samples.Count <= most) return [.. dataset.Samples];
        var share = (double)most / dataset.Samples.Count;
        return [.. dataset.Buckets.SelectMany(bucket =>
            bucket.Entries.Distinct().ToList() is var all ? all.Take(Math.Max(1, (int)(all.Count * share))) : [])
            .Take(most).Select(index => dataset.Samples[index])];
    }

    /// <summary>Notes each image's first use in the epoch.</summary>
    private static void Note(EpochPlan epoch, PreviewOptions options, Dictionary<int, List<PreviewUse>> uses, Dictionary<int,
        ImageDraw> draws)
    {
        var assembly = new BatchAssembly(epoch, new BatchLoaderOptions { TotalSteps = options.TotalSteps ?? 0 }, null, null);
        foreach (var batch in epoch.Batches)
            for (var place = 0; place < batch.Samples.Count; place++)
            {
                if (!uses.TryGetValue(batch.Samples[place], out var known) || known.LastOrDefault()?.Epoch == epoch.Epoch) continue;
                var sample = epoch.Dataset.Samples[batch.Samples[place]];
                var draw = ImageDraw.Choose(sample, epoch, batch.FirstDraw + place);
                draws.TryAdd(sample.Index, draw);
                known.Add(new(epoch.Epoch, assembly.Caption(sample, batch, place), draw.Flip));
            }
    }
}
