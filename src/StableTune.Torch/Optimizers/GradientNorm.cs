namespace StableTune.Torch;

/// <summary>The norm of all gradients together, and clipping by it.</summary>
public static class GradientNorm
{
    private static readonly Operator Scale = new("aten::_foreach_mul_", "Tensor");

    /// <summary>Scales gradients so that their joint 2-norm is at most <paramref name="maximum"/>.</summary>
    /// <param name="parameters">What is trained; those without a gradient are passed over.</param>
    /// <param name="maximum">The largest norm; infinite for measuring only.</param>
    /// <returns>The norm before clipping; 0 without gradients.</returns>
    /// <remarks>As <c>torch.nn.utils.clip_grad_norm_</c>, which adds 1e-6 to the norm before it divides; but gradients whose norm is not
    /// finite are left as they are.</remarks>
    public static double Clip(IEnumerable<Tensor> parameters, double maximum)
    {
        using var scope = NewDisposeScope();
        using var number = ClipWithoutReading(parameters, double.IsInfinity(maximum) ? null : maximum).ToScalar();
        return number.ToDouble();
    }

    /// <summary>As <see cref="Clip"/>, but the norm stays on the device: reading it would wait for all that was asked of the device
    /// before.</summary>
    /// <param name="parameters">What is trained; those without a gradient are passed over.</param>
    /// <param name="maximum">The largest norm; null for measuring only.</param>
    /// <returns>The norm before clipping, a scalar; 0 without gradients.</returns>
    public static Tensor ClipWithoutReading(IEnumerable<Tensor> parameters, double? maximum)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        Tensor[] gradients = [.. parameters.Select(parameter => parameter.grad).OfType<Tensor>()];
        if (gradients.Length == 0) return zeros([]).MoveToOuterDisposeScope();
        var device = gradients[0].device;
        var total = stack(gradients.Select(gradient => Norm(gradient).to(device)).ToArray()).norm();
        if (maximum is { } limit)
        {
            var factor = where(total.isfinite(), (limit / (total + 1e-6)).clamp(max: 1.0), ones_like(total));
            foreach (var same in gradients.GroupBy(gradient => (gradient.dtype, gradient.device.ToString())))
                Scale.Do(same.ToArray(), factor.to(same.Key.dtype).to(same.First().device));
        }

        return total.MoveToOuterDisposeScope();
    }

    /// <summary>In float16 the norm of finite numbers may be infinite.</summary>
    private static Tensor Norm(Tensor gradient) =>
        (gradient.dtype == ScalarType.Float16 ? gradient.to(ScalarType.Float32) : gradient).norm();
}
