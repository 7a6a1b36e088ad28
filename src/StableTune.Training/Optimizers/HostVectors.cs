using System.Numerics;
using System.Runtime.CompilerServices;

namespace StableTune.Optimizers;

/// <summary>Registers full of numbers from the memory of the CPU, and sums over it.</summary>
internal static unsafe class HostVectors
{
    /// <summary>Numbers that are summed in float32 before the sums go into double precision.</summary>
    public const long NumbersAtOnce = 1 << 13;

    /// <summary>Numbers of a register.</summary>
    public static int Width => Vector<float>.Count;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Get(float* from) => Unsafe.ReadUnaligned<Vector<float>>(from);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Put(float* to, Vector<float> values) => Unsafe.WriteUnaligned(to, values);

    /// <summary>Σ v².</summary>
    public static double SumOfSquares(float* values, long count)
    {
        var sum = 0.0;
        for (var start = 0L; start < count; start += NumbersAtOnce)
        {
            var numbers = Math.Min(NumbersAtOnce, count - start);
            sum += SumOfProducts(values + start, null, numbers);
        }

        return sum;
    }

    /// <summary>Σ (g · c)²; without c, Σ g².</summary>
    public static double SumOfProducts(float* gradient, float* factors, long count)
    {
        var all = Vector<float>.Zero;
        var i = 0L;
        for (; i + Width <= count; i += Width)
        {
            var product = factors == null ? Get(gradient + i) : Get(gradient + i) * Get(factors + i);
            all += product * product;
        }

        double sum = Vector.Sum(all);
        for (; i < count; i++)
        {
            double product = factors == null ? gradient[i] : gradient[i] * factors[i];
            sum += product * product;
        }

        return sum;
    }
}
