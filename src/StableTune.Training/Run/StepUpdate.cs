using StableTune.Optimizers;
using StableTune.Trainables;

namespace StableTune.Training;

/// <summary>From gradients to weights: they are divided by the scale of the loss, measured, clipped, and given to the optimizer; unless
/// they are not finite.</summary>
internal sealed class StepUpdate
{
    private readonly IOptimizer _optimizer;
    private readonly IGradientStage _stage;
    private readonly Tensor[] _trained, _counted;

    /// <param name="plan">The options of the run.</param>
    /// <param name="optimizer">Steps what is trained.</param>
    /// <param name="trainables">What is trained, for gradients that count when the norm is measured.</param>
    public StepUpdate(TrainingPlan plan, IOptimizer optimizer, IEnumerable<ITrainable> trainables)
    {
        (_optimizer, _stage) = (optimizer, plan.EffectiveGradients);
        _trained = [.. optimizer.Groups.SelectMany(group => group.Parameters).Select(parameter => parameter.Value)];
        _counted = [.. _trained, .. trainables.SelectMany(trainable => trainable.ClippedAlong)];
    }

    /// <summary>The scale of the loss; null where it is not scaled.</summary>
    public LossScaler? Scaler { get; init; }

    /// <summary>Steps parameters inside the backward pass; null where they are stepped together.</summary>
    public FusedBackward? Fused { get; init; }

    /// <summary>To be called before the backward pass of a step.</summary>
    public void Begin(StepInfo info) => Fused?.Begin(info);

    /// <summary>Updates the weights where all numbers are finite.</summary>
    /// <param name="losses">The loss of each batch, all finite.</param>
    /// <param name="info">The rates.</param>
    /// <returns>The step with its numbers.</returns>
    public LaunchedStep Read(double[] losses, StepInfo info)
    {
        if (Fused is not null)
        {
            var (sum, partWasStepped) = Fused.End();
            return new LaunchedStep { Losses = losses, Norm = sum, PartWasStepped = partWasStepped, RateFactor = Factor()?.item<double>() };
        }

        using var scope = NewDisposeScope();
        var norm = Measure(out var scale);
        var value = norm.item<double>();
        Scaler?.Update(norm.isfinite());
        if (double.IsFinite(value)) _optimizer.Step(info with { Loss = losses.Average() });
        return new LaunchedStep
        {
            Losses = losses, Norm = value, Scale = scale?.item<double>() ?? double.NaN, RateFactor = Factor()?.item<double>(),
        };
    }

    /// <summary>Asks the device for the update and for the numbers, and waits for neither: where they are not finite, the device leaves
    /// everything as it was.</summary>
    public LaunchedStep Unread(IReadOnlyList<Tensor> losses, StepInfo info)
    {
        using var scope = NewDisposeScope();
        var device = losses[0].device;
        var norm = Measure(out var scale).to(device);
        Tensor[] looked = [.. losses.Select(loss => loss.to(ScalarType.Float64)), norm];
        var unknown = full([], double.NaN, ScalarType.Float64, device);
        var numbers = stack([.. looked, scale?.to(device) ?? unknown]);
        Scaler?.Update(norm.isfinite());
        _optimizer.Step(info with { IsFinite = stack(looked).isfinite().all() });
        numbers = cat([numbers, (Factor()?.to(device) ?? unknown).reshape(1)]);
        Tensor[] stepped = [.. _trained.Where(tensor => tensor.grad is not null)];
        return new LaunchedStep { Reading = LateReading.Begin(numbers), Stepped = stepped };
    }

    /// <summary>What an optimizer that finds its own rate multiplies the others by, float64; null for other optimizers.</summary>
    private Tensor? Factor() => _optimizer.RateFactor?.to(ScalarType.Float64);

    /// <summary>The host has learnt that an update changed nothing.</summary>
    public void TakeBack(LaunchedStep step) => (_optimizer as StatefulOptimizer)?.TakeBackStep(step.Stepped);

    public void ForgetGradients()
    {
        foreach (var parameter in _counted) parameter.grad = null;
    }

    /// <summary>Also without clipping: gradients that are not finite would destroy the weights, and what is saved then.</summary>
    /// <param name="scale">The scale that the loss had, float64; null for none.</param>
    private Tensor Measure(out Tensor? scale)
    {
        scale = Scaler?.Scale.to(ScalarType.Float64);
        Scaler?.Unscale(_counted);
        return _stage.Apply(_counted).to(ScalarType.Float64);
    }
}
