namespace StableTune;

/// <summary>The standard normal distribution.</summary>
internal static class NormalDistribution
{
    /// <summary>The probability of numbers up to z: ½ + φ(z) (z + z³/3 + z⁵/(3 · 5) + ...).</summary>
    /// <remarks>Marsaglia, Evaluating the normal distribution, Journal of Statistical Software 11 (2004).</remarks>
    public static double Cumulative(double z)
    {
        if (Math.Abs(z) > 8) return z > 0 ? 1 : 0;                           // nothing is left there in float64
        var (sum, term) = (0.0, z);
        for (var n = 1; sum + term != sum; n += 2)
        {
            sum += term;
            term *= z * z / (n + 2);
        }

        return 0.5 + (sum * Math.Exp(-z * z / 2) / Math.Sqrt(2 * Math.PI));
    }
}
