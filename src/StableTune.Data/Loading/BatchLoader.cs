using StableTune.Data;

namespace StableTune
{
    /// <summary>Options of the loader. None of them changes what is trained, only when it is ready.</summary>
    public sealed record BatchLoaderOptions : OptionsBase
    {
        /// <summary>Threads that read and prepare images ahead; 0 does it in the training thread. Default: one less than there are
        /// processors, 1 to 8.</summary>
        public int Workers { get; init; } = Math.Clamp(Environment.ProcessorCount - 1, 1, 8);

        /// <summary>Batches prepared or under preparation at most, which bounds the memory; null, the default, is twice the
        /// workers.</summary>
        public int? BatchesAhead { get; init; }

        /// <summary>Batches to one optimizer step (gradient accumulation); only token warm-up counts in steps. Default 1.</summary>
        public int MicroSteps { get; init; } = 1;

        /// <summary>Optimizer steps of the whole run; needed where token warm-up is a share of them. 0 where it is not known.</summary>
        public int TotalSteps { get; init; }

        /// <inheritdoc/>
        public override IEnumerable<OptionProblem> Validate()
        {
            if (Workers < 0)
                yield return Problem(Workers, "the number of threads must not be negative", "0 prepares images in the training thread");
            if (BatchesAhead < 1)
                yield return Problem(BatchesAhead, "at least 1 batch must be allowed", "leave it unset for twice the workers");
            if (MicroSteps < 1) yield return Problem(MicroSteps, "a step takes at least 1 batch", "1 is no accumulation");
            if (TotalSteps < 0) yield return Problem(TotalSteps, "it must not be negative", "0 means not known");
        }
    }
}

namespace StableTune.Data
{
    /// <summary>
    /// Turns planned batches into data. Worker threads work ahead within bounded memory; what comes, and in which order, does not
    /// depend on their number. Faults of a file reach the consumer as an exception that names it, when the batch's turn comes.
    /// </summary>
    public sealed class BatchLoader : IDisposable
    {
        private readonly BatchLoaderOptions _options;
        private readonly LatentCache? _latents;
        private readonly TextOutputCache? _textOutputs;
        private readonly HashSet<OrderedPrefetch<Batch>> _running = [];

        /// <summary>A loader.</summary>
        /// <param name="options">How it works ahead; null takes the defaults.</param>
        /// <param name="latents">Batches then carry latents instead of pixels, and no image is read. Stays the caller's.</param>
        /// <param name="textOutputs">Batches then carry the text encoder's output. Stays the caller's.</param>
        /// <exception cref="InvalidOptionsException">The options cannot work.</exception>
        public BatchLoader(BatchLoaderOptions? options = null, LatentCache? latents = null, TextOutputCache? textOutputs = null)
        {
            (_options, _latents, _textOutputs) = (options ?? new(), latents, textOutputs);
            InvalidOptionsException.ThrowIfAny(_options.Validate());
        }

        /// <summary>
        /// The batches of an epoch, in order. Work begins with the first batch that is asked for, and ends when the enumeration does,
        /// also half-way: batches that were prepared in vain are freed.
        /// </summary>
        /// <param name="plan">The epoch.</param>
        /// <param name="firstBatch">The batch to begin with, for a run that is resumed.</param>
        /// <param name="cancellationToken">Ends the wait for a batch.</param>
        /// <returns>Batches; each belongs to the caller, who disposes it.</returns>
        /// <exception cref="ArgumentOutOfRangeException">The epoch has no such first batch.</exception>
        /// <exception cref="InvalidFileException">A file cannot be read or is not what it was; thrown while enumerating.</exception>
        /// <exception cref="OperationCanceledException">The token was cancelled; thrown while enumerating.</exception>
        public IEnumerable<Batch> Load(EpochPlan plan, int firstBatch = 0, CancellationToken cancellationToken = default)
        {
            ArgumentNullException.ThrowIfNull(plan);
            ArgumentOutOfRangeException.ThrowIfNegative(firstBatch);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(firstBatch, plan.Batches.Count);
            return Enumerate(plan, firstBatch, cancellationToken);
        }

        /// <summary>Stops the threads of enumerations that were neither finished nor disposed.</summary>
        public void Dispose()
        {
            OrderedPrefetch<Batch>[] running;
            lock (_running) running = [.. _running];
            foreach (var prefetch in running) prefetch.Dispose();
        }

        private IEnumerable<Batch> Enumerate(EpochPlan plan, int firstBatch, CancellationToken cancellationToken)
        {
            var assembly = new BatchAssembly(plan, _options, _latents, _textOutputs);
            // With latents in memory a batch is a copy of a few kilobytes: handing it from thread to thread would cost more.
            var workers = _latents is { ReadsFiles: false } ? 0 : _options.Workers;
            using var prefetch = new OrderedPrefetch<Batch>(plan.Batches.Count - firstBatch, workers, _options.BatchesAhead ?? 2 * workers,
                (index, stop) => assembly.Make(plan.Batches[firstBatch + index], stop), batch => batch.Dispose());
            lock (_running) _running.Add(prefetch);
            try
            {
                while (prefetch.Next(cancellationToken) is { } batch) yield return batch;
            }
            finally
            {
                lock (_running) _running.Remove(prefetch);
            }
        }
    }
}
