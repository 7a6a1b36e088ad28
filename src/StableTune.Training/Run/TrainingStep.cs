using StableTune.Data;
using StableTune.Trainables;

namespace StableTune.Training;

/// <summary>One batch forward and backward: files have become a batch, a batch becomes gradients.</summary>
public sealed class TrainingStep : IBatchRunner
{
    private static readonly StepGarbage s_garbage = new();

    private readonly ITrainingMethod _method;
    private readonly IReadOnlyList<ITrainable> _trainables;
    private readonly TrainingRandom _random;

    /// <summary>The losses of the last batch's samples; none where the method does not tell them.</summary>
    IReadOnlyList<SampleReading> IBatchRunner.Samples => _samples;

    private IReadOnlyList<SampleReading> _samples = [];

    /// <summary>A step of the usual method, made of stages.</summary>
    /// <param name="parts">The stages.</param>
    public TrainingStep(TrainingStepParts parts)
    {
        ArgumentNullException.ThrowIfNull(parts);
        (_method, _trainables, _random) = (new Denoising(parts), parts.Trainables, parts.Random);
    }

    /// <summary>A step of any method.</summary>
    /// <param name="method">How a batch becomes a loss; stays the caller's.</param>
    /// <param name="trainables">What is trained; told before each batch.</param>
    /// <param name="random">The random streams of the run.</param>
    public TrainingStep(ITrainingMethod method, IReadOnlyList<ITrainable> trainables, TrainingRandom random) =>
        (_method, _trainables, _random) = (method, trainables, random);

    /// <summary>Adds the gradients of the batch's mean loss to the trained parameters.</summary>
    /// <param name="batch">The batch; its tensors stay the caller's.</param>
    /// <param name="accumulation">Batches per optimizer step: gradients are those of loss / accumulation.</param>
    /// <returns>The mean loss of the batch, not divided.</returns>
    /// <exception cref="TrainingDivergedException">The loss is not finite; no gradients were added.</exception>
    public double Run(Batch batch, int accumulation)
    {
        var value = TryRun(batch, accumulation, null);
        return double.IsFinite(value) ? value : throw new TrainingDivergedException("loss", value, batch.Items.Select(i => i.Path));
    }

    double IBatchRunner.TryRun(Batch batch, int accumulation, Tensor? scale) => TryRun(batch, accumulation, scale);

    private double TryRun(Batch batch, int accumulation, Tensor? scale)
    {
        s_garbage.Collect();
        using var scope = NewDisposeScope();
        try
        {
            var loss = Forward(batch);
            var value = loss.to(ScalarType.Float64).item<double>();
            if (double.IsFinite(value))
            {
                Backward(loss, batch, accumulation, scale);
                NoteSamples(batch);
            }

            return value * batch.Share.Weight;
        }
        finally
        {
            _method.EndBatch();
        }
    }

    Tensor IBatchRunner.RunWithoutReading(Batch batch, int accumulation, Tensor? scale)
    {
        s_garbage.Collect();
        using var scope = NewDisposeScope();
        try
        {
            var loss = Forward(batch);
            Backward(loss, batch, accumulation, scale);
            NoteSamples(batch);
            if (batch.Share.Weight != 1) loss = loss * batch.Share.Weight;
            return loss.detach().to(ScalarType.Float32).alias().MoveToOuterDisposeScope();
        }
        finally
        {
            _method.EndBatch();
        }
    }

    /// <summary>The batch's mean loss without gradients: nothing is learnt, and dropouts are as the trainables have been set.</summary>
    /// <param name="batch">The batch; its tensors stay the caller's.</param>
    public double Measure(Batch batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        try
        {
            return _method.Loss(batch).to(ScalarType.Float64).item<double>();
        }
        finally
        {
            _method.EndBatch();
        }
    }

    private Tensor Forward(Batch batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        var moment = new BatchMoment(batch, _random);
        foreach (var trainable in _trainables) trainable.BeforeBatch(moment);
        return _method.Loss(batch);                                                                    // []
    }

    private void NoteSamples(Batch batch) =>
        _samples = _method.Samples is { } samples && !batch.Share.IsSpare ? [SampleReading.Begin(samples, batch)] : [];

    private void Backward(Tensor loss, Batch batch, int accumulation, Tensor? scale)
    {
        // Where module dropout left every adapter out, nothing is there that a gradient could reach.
        if (!loss.requires_grad && _trainables.Count > 0) return;
        if (batch.Share.Weight != 1) loss = loss * batch.Share.Weight;
        if (accumulation != 1) loss = loss / accumulation;
        Gradients.Backward(scale is null ? loss : loss * scale);
    }
}
