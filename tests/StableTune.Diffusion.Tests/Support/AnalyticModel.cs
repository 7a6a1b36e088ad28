namespace StableTune.Diffusion.Tests;

/// <summary>The model of the sampler fixtures: 0.5 x cos(t / 300) + 0.1 sin(t / 100).</summary>
internal static class AnalyticModel
{
    internal static Tensor Predict(Tensor input, double timestep)
    {
        using var scope = NewDisposeScope();
        return (input * (0.5 * Math.Cos(timestep / 300)) + 0.1 * Math.Sin(timestep / 100)).MoveToOuterDisposeScope();
    }
}
