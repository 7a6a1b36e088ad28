namespace StableTune.Training;

/// <summary>
/// The scale of the loss in float16. It lies on the device and changes there, so that nothing waits to learn whether a step overflowed.
/// </summary>
internal sealed class LossScaler : IResumable, IDisposable
{
    private const double Growth = 2, Backoff = 0.5;

    private static readonly Operator Multiply = new("aten::_foreach_mul_", "Tensor");

    private readonly LossScalingOptions _options;
    private readonly Tensor _goodSteps;

    public LossScaler(LossScalingOptions options, Device device)
    {
        _options = options;
        Scale = full([], options.Start, ScalarType.Float32, device).DetachFromDisposeScope();
        _goodSteps = zeros([], ScalarType.Int32, device).DetachFromDisposeScope();
    }

    public string Name => "loss_scaler";

    /// <summary>What losses are multiplied by, [], float32. Changes in place.</summary>
    public Tensor Scale { get; }

    /// <summary>Divides gradients by the scale, in place and in their own types.</summary>
    /// <param name="parameters">Those without a gradient are passed over.</param>
    public void Unscale(IEnumerable<Tensor> parameters)
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        var inverse = Scale.to(ScalarType.Float64).reciprocal().to(ScalarType.Float32);
        foreach (var same in parameters.Select(parameter => parameter.grad).OfType<Tensor>()
            .GroupBy(gradient => (gradient.dtype, gradient.device_type, gradient.device_index)))
        {
            var factor = inverse.to(same.First().device);
            if (same.Key.dtype == ScalarType.Float32) Multiply.Do(same.ToArray(), factor);
            // The inverse itself may be too small for float16.
            else foreach (var gradient in same) gradient.copy_(gradient.to(ScalarType.Float32) * factor);
        }
    }

    /// <summary>Halves the scale after a step whose gradients overflowed; doubles it after enough others in a row.</summary>
    /// <param name="isFinite">Whether all gradients of the step are finite, [], bool.</param>
    public void Update(Tensor isFinite)
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        var good = where(isFinite.to(Scale.device), _goodSteps + 1, zeros_like(_goodSteps));
        var grows = good >= _options.GrowAfter;
        var factor = where(isFinite.to(Scale.device), where(grows, full_like(Scale, Growth), ones_like(Scale)), full_like(Scale, Backoff));
        Scale.mul_(factor);
        _goodSteps.copy_(where(grows, zeros_like(good), good));
    }

    public void Save(StateWriter writer)
    {
        writer.Tensor("scale", Scale);
        writer.Tensor("good_steps", _goodSteps);
    }

    public void Load(StateReader reader)
    {
        reader.CopyTo("scale", Scale);
        reader.CopyTo("good_steps", _goodSteps);
    }

    public void Dispose()
    {
        Scale.Dispose();
        _goodSteps.Dispose();
    }
}
