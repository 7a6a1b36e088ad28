namespace StableTune.Torch;

/// <summary>The norm of all gradients together, and clipping by it.</summary>
public static class GradientNorm
{
    private static readonly Operator Scale = new("aten::_foreach_mul_", "Tensor");

    /// <summary>Scales gradients so that their joint 2-norm is at most <paramref name="maximum"/>.</summary>
    /// <param name="parameters">What is trained; those without a gradient are passed over.</param>
    /// <param name="maximum">The largest norm; infinite for measuring only.</param>
    /// <returns>The norm before clipping; 0 without gradients.</returns>
    /// <remarks>As <c>torch.nn.utils.clip_grad_norm_</c>, which adds 1e-6 to the norm before it divides; but gradients whose norm is not finite are left as they are.</remarks>
    public static double Clip(IEnumerable<Tensor> parameters, double maximum)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        Tensor[] gradients = [.. parameters.Select(parameter => parameter.grad).OfType<Tensor>()];
        if (gradients.Length == 0) return 0;
        var device = gradients[0].device;
        var total = stack(gradients.Select(gradient => gradient.norm().to(device)).ToArray()).norm();
        using var number = total.ToScalar();
        var norm = number.ToDouble();
        if (!double.IsInfinity(maximum) && double.IsFinite(norm))
        {
            var factor = (maximum / (total + 1e-6)).clamp(max: 1.0);
            foreach (var same in gradients.GroupBy(gradient => (gradient.dtype, gradient.device.ToString())))
                Scale.Do(same.ToArray(), factor.to(same.Key.dtype).to(same.First().device));
        }

        return norm;
    }
}
