using System.Buffers;
using System.Numerics;
using System.Runtime.CompilerServices;

namespace StableTune.Optimizers;

/// <summary>What AdaFactor's formula holds fixed for all tensors of a step.</summary>
/// <param name="Rate">ρ.</param>
/// <param name="LeastScale">ε₂, the least size that weights are taken to have; null where steps are not in proportion to it.</param>
/// <param name="Squares">ε₁, added to squared gradients.</param>
/// <param name="Beta2">β₂ of the step.</param>
/// <param name="Clip">The largest root mean square of a direction.</param>
/// <param name="Beta1">β₁, or null.</param>
/// <param name="Decay">Weight decay per unit of a.</param>
internal readonly record struct AdaFactorStep(
    double Rate, double? LeastScale, float Squares, double Beta2, double Clip, double? Beta1, double Decay);

/// <summary>A float32 tensor in the memory of the CPU, with its gradient and what AdaFactor remembers of it. One that is factored is a
/// stack of matrices; another has <c>MeanSquares</c> in the place of <c>RowMeans</c> and <c>ColumnMeans</c>.</summary>
internal readonly unsafe struct AdaFactorTensor(OptimizedParameter parameter, Tensor gradient, string[] slots)
{
    public readonly long Count = parameter.Count;
    public readonly long Rows = parameter.Value.dim() < 2 ? 0 : parameter.Value.shape[^2];
    public readonly long Columns = parameter.Value.dim() < 2 ? 0 : parameter.Value.shape[^1];
    public readonly float* Weight = (float*)parameter.Value.DataPointer(), Gradient = (float*)gradient.DataPointer();
    public readonly float* RowMeans = Of(parameter, slots[0]), ColumnMeans = Of(parameter, slots[1]);
    public readonly float* MeanSquares = Of(parameter, slots[2]), Mean = Of(parameter, slots[3]);

    private static float* Of(OptimizedParameter parameter, string slot) =>
        parameter.Find(slot) is { } found ? (float*)found.DataPointer() : null;
}

/// <summary>
/// AdaFactor's formula over the memory of the CPU: two or three looks at the gradients, which stay in the processor's cache, and one at the
/// weights, where operators would go through memory some fifteen times.
/// </summary>
internal static unsafe class AdaFactorOnHost
{
    /// <summary>Rows whose squares are summed in float32 before the sums go into double precision.</summary>
    private const int RowsAtOnce = 64;

    /// <summary>The same for numbers of a row.</summary>
    private const long NumbersAtOnce = 1 << 13;

    private static int Lanes => Vector<float>.Count;

    /// <summary>Changes a tensor and what is remembered of it.</summary>
    /// <returns>a, the size of the step.</returns>
    public static double Change(in AdaFactorTensor tensor, in AdaFactorStep step)
    {
        var size = step.LeastScale is { } least
            ? step.Rate * Math.Max(least, Math.Sqrt(SumOfSquares(tensor.Weight, tensor.Count) / tensor.Count)) : step.Rate;
        if (tensor.MeanSquares != null) ChangeWhole(tensor, step, size);
        else ChangeFactored(tensor, step, size);
        return size;
    }

    /// <summary>A tensor of one dimension is a row of a matrix whose columns have their own squares.</summary>
    private static void ChangeWhole(in AdaFactorTensor tensor, in AdaFactorStep step, double size)
    {
        var roots = ArrayPool<float>.Shared.Rent((int)tensor.Count);
        try
        {
            fixed (float* at = roots)
            {
                TakeSquares(tensor, at, step);
                var constants = Constants(SumOfProducts(tensor.Gradient, at, tensor.Count) / tensor.Count, step, size);
                Move(tensor, 0, tensor.Count, at, 1, constants);
            }
        }
        finally
        {
            ArrayPool<float>.Shared.Return(roots);
        }
    }

    private static void ChangeFactored(in AdaFactorTensor tensor, in AdaFactorStep step, double size)
    {
        var (rows, columns) = (tensor.Rows, tensor.Columns);
        var pool = ArrayPool<float>.Shared;
        var (roots, sums) = (pool.Rent((int)(rows + columns)), ArrayPool<double>.Shared.Rent((int)columns));
        try
        {
            fixed (float* rowRoots = roots)
            {
                var columnRoots = rowRoots + rows;
                var stacks = tensor.Count / (rows * columns);
                var sum = 0.0;
                for (var i = 0L; i < stacks; i++)
                {
                    float* gradient = tensor.Gradient + (i * rows * columns);
                    float* rowMeans = tensor.RowMeans + (i * rows), columnMeans = tensor.ColumnMeans + (i * columns);
                    TakeSquares(gradient, rows, columns, rowMeans, columnMeans, columnRoots, sums, step);
                    Roots(rowMeans, columnMeans, rows, columns, rowRoots, columnRoots);
                    for (var row = 0L; row < rows; row++)
                        sum += rowRoots[row] * (double)rowRoots[row] * SumOfProducts(gradient + (row * columns), columnRoots, columns);
                }

                var constants = Constants(sum / tensor.Count, step, size);
                for (var i = 0L; i < stacks; i++)
                {
                    // The roots of a single matrix are there still.
                    if (stacks > 1)
                        Roots(tensor.RowMeans + (i * rows), tensor.ColumnMeans + (i * columns), rows, columns, rowRoots, columnRoots);
                    for (var row = 0L; row < rows; row++)
                        Move(tensor, ((i * rows) + row) * columns, columns, columnRoots, rowRoots[row], constants);
                }
            }
        }
        finally
        {
            pool.Return(roots);
            ArrayPool<double>.Shared.Return(sums);
        }
    }

    private static Moving Constants(double meanSquare, in AdaFactorStep step, double size) => new(
        (float)(size / Math.Max(1, Math.Sqrt(meanSquare) / step.Clip)), (float)(1 - (step.Decay * size)),
        (float)(step.Beta1 ?? 0), (float)(1 - (step.Beta1 ?? 0)));

    /// <summary>Takes the squares of a matrix into the means of its rows and columns.</summary>
    private static void TakeSquares(float* gradient, long rows, long columns, float* rowMeans, float* columnMeans, float* scratch,
        double[] sums, in AdaFactorStep step)
    {
        Array.Clear(sums, 0, (int)columns);
        new Span<float>(scratch, (int)columns).Clear();
        var (kept, rest) = ((float)step.Beta2, (float)(1 - step.Beta2));
        for (var row = 0L; row < rows; row++)
        {
            var mean = (float)(SquaresOfRow(gradient + (row * columns), scratch, columns, step.Squares) / columns);
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
        for (; i + Lanes <= columns; i += Lanes)
        {
            var g = Load(gradient + i);
            var square = (g * g) + added;
            all += square;
            Store(columnSums + i, Load(columnSums + i) + square);
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
    private static void Roots(float* rowMeans, float* columnMeans, long rows, long columns, float* rowRoots, float* columnRoots)
    {
        var mean = 0.0;
        for (var row = 0L; row < rows; row++) mean += rowMeans[row];
        mean /= rows;
        for (var row = 0L; row < rows; row++) rowRoots[row] = 1 / MathF.Sqrt(rowMeans[row] / (float)mean);
        for (var column = 0L; column < columns; column++) columnRoots[column] = 1 / MathF.Sqrt(columnMeans[column]);
    }

    /// <summary>Takes the squares of a tensor into its mean squares.</summary>
    private static void TakeSquares(in AdaFactorTensor tensor, float* roots, in AdaFactorStep step)
    {
        var (kept, rest) = ((float)step.Beta2, (float)(1 - step.Beta2));
        for (var i = 0L; i < tensor.Count; i++)
        {
            var g = tensor.Gradient[i];
            var mean = (tensor.MeanSquares[i] * kept) + (((g * g) + step.Squares) * rest);
            tensor.MeanSquares[i] = mean;
            roots[i] = 1 / MathF.Sqrt(mean);
        }
    }

    /// <summary>s = g · row's root · columns' roots, sized and averaged; θ ← θ(1 − wd·a) − s.</summary>
    private static void Move(in AdaFactorTensor tensor, long start, long count, float* columnRoots, float rowRoot, in Moving moving)
    {
        float* weight = tensor.Weight + start, gradient = tensor.Gradient + start;
        var mean = tensor.Mean == null ? null : tensor.Mean + start;
        var (factor, kept, beta1, rest1) = (new Vector<float>(rowRoot * moving.Factor), new Vector<float>(moving.Kept),
            new Vector<float>(moving.Beta1), new Vector<float>(moving.Rest1));
        var i = 0L;
        for (; i + Lanes <= count; i += Lanes)
        {
            var step = Load(gradient + i) * Load(columnRoots + i) * factor;
            if (mean != null)
            {
                step = (Load(mean + i) * beta1) + (step * rest1);
                Store(mean + i, step);
            }

            Store(weight + i, (Load(weight + i) * kept) - step);
        }

        for (; i < count; i++)
        {
            var step = gradient[i] * columnRoots[i] * (rowRoot * moving.Factor);
            if (mean != null) step = mean[i] = (mean[i] * moving.Beta1) + (step * moving.Rest1);
            weight[i] = (weight[i] * moving.Kept) - step;
        }
    }

    private static double SumOfSquares(float* values, long count)
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
    private static double SumOfProducts(float* gradient, float* factors, long count)
    {
        var all = Vector<float>.Zero;
        var i = 0L;
        for (; i + Lanes <= count; i += Lanes)
        {
            var product = factors == null ? Load(gradient + i) : Load(gradient + i) * Load(factors + i);
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

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<float> Load(float* from) => Unsafe.ReadUnaligned<Vector<float>>(from);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(float* to, Vector<float> values) => Unsafe.WriteUnaligned(to, values);

    private readonly record struct Moving(float Factor, float Kept, float Beta1, float Rest1);
}
