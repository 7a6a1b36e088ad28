using System.Numerics;
using static StableTune.Optimizers.HostVectors;

namespace StableTune.Optimizers;

/// <summary>The mean square of matrices by rows and columns (<see cref="FactoredSquares"/>), in the memory of the CPU.</summary>
internal static unsafe class FactoredOnHost
{
    /// <summary>Rows whose squares are summed in float32 before the sums go into double precision.</summary>
    private const int RowsAtOnce = 64;

    /// <summary>Takes the squares of a matrix into the means of its rows and columns.</summary>
    /// <param name="values">[rows, columns].</param>
    /// <param name="rows">How many.</param>
    /// <param name="columns">How many.</param>
    /// <param name="rowMeans">[rows]; changed.</param>
    /// <param name="columnMeans">[columns]; changed.</param>
    /// <param name="scratch">[columns].</param>
    /// <param name="sums">[columns] or more.</param>
    /// <param name="epsilon">Added to each square.</param>
    /// <param name="beta">What is kept of the means.</param>
    public static void TakeSquares(float* values, long rows, long columns, float* rowMeans, float* columnMeans, float* scratch,
        double[] sums, float epsilon, double beta)
    {
        Array.Clear(sums, 0, (int)columns);
        new Span<float>(scratch, (int)columns).Clear();
        var (kept, rest) = ((float)beta, (float)(1 - beta));
        for (var row = 0L; row < rows; row++)
        {
            var mean = (float)(SquaresOfRow(values + (row * columns), scratch, columns, epsilon) / columns);
            rowMeans[row] = (rowMeans[row] * kept) + (mean * rest);
            if ((row + 1) % RowsAtOnce != 0 && row != rows - 1) continue;
            for (var column = 0L; column < columns; column++)
            {
                sums[column] += scratch[column];
                scratch[column] = 0;
            }
        }

        for (var column = 0L; column < columns; column++)
            columnMeans[column] = (columnMeans[column] * kept) + ((float)(sums[column] / rows) * rest);
    }

    /// <summary>Adds g² + ε₁ to the sums of the columns.</summary>
    /// <returns>The sum of the row.</returns>
    private static double SquaresOfRow(float* gradient, float* columnSums, long columns, float epsilon)
    {
        var (all, added) = (Vector<float>.Zero, new Vector<float>(epsilon));
        var i = 0L;
        for (; i + Width <= columns; i += Width)
        {
            var g = Get(gradient + i);
            var square = (g * g) + added;
            all += square;
            Put(columnSums + i, Get(columnSums + i) + square);
        }

        double sum = Vector.Sum(all);
        for (; i < columns; i++)
        {
            var square = (gradient[i] * gradient[i]) + epsilon;
            sum += square;
            columnSums[i] += square;
        }

        return sum;
    }

    /// <summary>(r / mean(r))^-½ and c^-½.</summary>
    public static void Roots(float* rowMeans, float* columnMeans, long rows, long columns, float* rowRoots, float* columnRoots)
    {
        var mean = 0.0;
        for (var row = 0L; row < rows; row++) mean += rowMeans[row];
        mean /= rows;
        for (var row = 0L; row < rows; row++) rowRoots[row] = 1 / MathF.Sqrt(rowMeans[row] / (float)mean);
        for (var column = 0L; column < columns; column++) columnRoots[column] = 1 / MathF.Sqrt(columnMeans[column]);
    }

    /// <summary>values · row's root · columns' roots.</summary>
    /// <param name="values">[rows, columns].</param>
    /// <param name="rows">How many.</param>
    /// <param name="columns">How many.</param>
    /// <param name="rowRoots">[rows].</param>
    /// <param name="columnRoots">[columns].</param>
    /// <param name="products">[rows, columns]; may be the values.</param>
    /// <returns>Σ of the products' squares.</returns>
    public static double Multiply(float* values, long rows, long columns, float* rowRoots, float* columnRoots, float* products)
    {
        var sum = 0.0;
        for (var row = 0L; row < rows; row++)
        {
            var (all, factor, at) = (Vector<float>.Zero, new Vector<float>(rowRoots[row]), row * columns);
            var i = 0L;
            for (; i + Width <= columns; i += Width)
            {
                var product = Get(values + at + i) * Get(columnRoots + i) * factor;
                all += product * product;
                Put(products + at + i, product);
            }

            sum += Vector.Sum(all);
            for (; i < columns; i++)
            {
                var product = values[at + i] * columnRoots[i] * rowRoots[row];
                sum += product * product;
                products[at + i] = product;
            }
        }

        return sum;
    }
}
