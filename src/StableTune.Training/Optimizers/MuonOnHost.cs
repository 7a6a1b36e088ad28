using System.Buffers;
using System.Numerics;
using static StableTune.Optimizers.HostVectors;

namespace StableTune.Optimizers;

/// <summary>Muon's orthogonal matrices of flat ones, which have few rows (or columns), in the memory of the CPU: those of adapters. Their
/// products are too small for a library's.</summary>
internal static unsafe class MuonOnHost
{
    /// <summary>Flat matrices have no more rows, or no more columns.</summary>
    public const long MostRows = 32;

    /// <summary>θ ← θ − rate·O, O the orthogonal matrix nearest to u, about.</summary>
    /// <param name="weight">θ, [rows, columns].</param>
    /// <param name="u">[rows, columns].</param>
    /// <param name="rows">How many.</param>
    /// <param name="columns">How many.</param>
    /// <param name="iterations">How often the polynomial is repeated.</param>
    /// <param name="rate">The step's size.</param>
    public static void Move(float* weight, float* u, long rows, long columns, int iterations, float rate)
    {
        var (n, m, isTall) = rows > columns ? (columns, rows, true) : (rows, columns, false);
        var count = n * m;
        var rented = ArrayPool<float>.Shared.Rent((int)((2 * count) + (3 * n * n)));
        fixed (float* x = rented)
        {
            float* next = x + count, product = next + count, polynomial = product + (n * n);
            var inverse = (float)(1 / (Math.Sqrt(SumOfSquares(u, count)) + Muon.LeastNorm));
            for (var row = 0L; row < n; row++)
                for (var column = 0L; column < m; column++)
                    x[(row * m) + column] = u[isTall ? (column * n) + row : (row * m) + column] * inverse;
            var (from, to) = ((nint)x, (nint)next);
            for (var i = 0; i < iterations; i++)
            {
                Polynomial((float*)from, n, m, product, polynomial);
                Multiply(polynomial, (float*)from, n, m, (float*)to);
                (from, to) = (to, from);
            }

            var result = (float*)from;
            for (var row = 0L; row < n; row++)
                for (var column = 0L; column < m; column++)
                    weight[isTall ? (column * n) + row : (row * m) + column] -= result[(row * m) + column] * rate;
        }

        ArrayPool<float>.Shared.Return(rented);
    }

    /// <summary>aI + bXXᵀ + c(XXᵀ)².</summary>
    private static void Polynomial(float* x, long n, long m, float* product, float* polynomial)
    {
        for (var i = 0L; i < n; i++)
            for (var j = 0L; j <= i; j++) product[(i * n) + j] = product[(j * n) + i] = Dot(x + (i * m), x + (j * m), m);
        for (var i = 0L; i < n; i++)
        {
            for (var j = 0L; j < n; j++)
            {
                var square = 0f;
                for (var k = 0L; k < n; k++) square += product[(i * n) + k] * product[(k * n) + j];
                polynomial[(i * n) + j] = (float)Muon.B * product[(i * n) + j] + (float)Muon.C * square + (i == j ? (float)Muon.A : 0);
            }
        }
    }

    private static float Dot(float* a, float* b, long count)
    {
        var (sum, i) = (Vector<float>.Zero, 0L);
        for (; i + Width <= count; i += Width) sum += Get(a + i) * Get(b + i);
        var all = Vector.Sum(sum);
        for (; i < count; i++) all += a[i] * b[i];
        return all;
    }

    private static void Multiply(float* polynomial, float* x, long n, long m, float* result)
    {
        for (var i = 0L; i < n; i++)
        {
            var column = 0L;
            for (; column + Width <= m; column += Width)
            {
                var sum = Vector<float>.Zero;
                for (var k = 0L; k < n; k++) sum += Get(x + (k * m) + column) * polynomial[(i * n) + k];
                Put(result + (i * m) + column, sum);
            }

            for (; column < m; column++)
            {
                var sum = 0f;
                for (var k = 0L; k < n; k++) sum += x[(k * m) + column] * polynomial[(i * n) + k];
                result[(i * m) + column] = sum;
            }
        }
    }
}
