namespace StableTune.Imaging;

/// <summary>A filter of Pillow's resampler: its weight by distance, in double precision.</summary>
internal sealed record ResampleKernel(double Support, Func<double, double> Weight)
{
    /// <summary>sinc(x) sinc(x / 3) for |x| &lt; 3.</summary>
    internal static ResampleKernel Lanczos { get; } = new(3, x => x is >= -3 and < 3 ? Sinc(x) * Sinc(x / 3) : 0);

    /// <summary>Keys' cubic with a = -0.5.</summary>
    internal static ResampleKernel Bicubic { get; } = new(2, x => Cubic(Math.Abs(x), -0.5));

    /// <summary>1 from -0.5 (excluded) to 0.5.</summary>
    internal static ResampleKernel Box { get; } = new(0.5, x => x is > -0.5 and <= 0.5 ? 1 : 0);

    private static double Sinc(double x) => x == 0 ? 1 : Math.Sin(x * Math.PI) / (x * Math.PI);

    private static double Cubic(double x, double a)
        => x < 1 ? ((((a + 2) * x) - (a + 3)) * x * x) + 1 : x < 2 ? ((((x - 5) * x) + 8) * x - 4) * a : 0;
}
