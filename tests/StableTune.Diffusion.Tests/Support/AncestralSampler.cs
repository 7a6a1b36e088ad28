namespace StableTune.Diffusion.Tests;

/// <summary>Ancestral Euler as a host would write it, from public parts only: shows that the seam carries noise drawn on the way.</summary>
internal sealed class AncestralSampler(TimestepSpacing spacing, int offset) : ISampler
{
    public string Name => "Euler a";

    public SamplingTimes Times(NoiseSchedule schedule, int steps) =>
        new EulerSampler { Spacing = spacing, StepsOffset = offset }.Times(schedule, steps);

    public Tensor Sample(Denoiser denoiser, Tensor latents, SamplingTimes times, SamplingContext context) =>
        context.Walk(latents, times.Timesteps.Count, (x, index) =>
        {
            double sigma = times.Sigmas[index], next = times.Sigmas[index + 1];
            var up = Math.Sqrt(next * next * (sigma * sigma - next * next) / (sigma * sigma));
            var down = Math.Sqrt(next * next - up * up);
            var predicted = denoiser(x / Math.Sqrt(sigma * sigma + 1), times.Timesteps[index]);
            var derivative = (x - context.Prediction.OriginalAtSigma(x, predicted, sigma)) / sigma;
            return x + derivative * (down - sigma) + context.DrawNoise(x) * up;
        });
}
