using System.Buffers;
using System.Numerics;
using static StableTune.Optimizers.HostVectors;

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
internal readonly unsafe struct AdaFactorTensor(HostTensor tensor, string[] slots)
{
    public readonly long Count = tensor.Count, Rows = tensor.Rows, Columns = tensor.Columns;
    public readonly float* Weight = tensor.Weight, Gradient = tensor.Gradient;
    public readonly float* RowMeans = tensor.Find(slots[0]), ColumnMeans = tensor.Find(slots[1]);
    public readonly float* MeanSquares = tensor.Find(slots[2]), Mean = tensor.Find(slots[3]);
}

/// <summary>
/// AdaFactor's formula over the memory of the CPU: two or three looks at the gradients, which stay in the processor's cache, and one at the
/// weights, where operators would go through memory some fifteen times.
/// </summary>
internal static unsafe class AdaFactorOnHost
{
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
                    FactoredOnHost.TakeSquares(gradient, rows, columns, rowMeans, columnMeans, columnRoots, sums, step.Squares, step.Beta2);
                    FactoredOnHost.Roots(rowMeans, columnMeans, rows, columns, rowRoots, columnRoots);
                    for (var row = 0L; row < rows; row++)
                        sum += rowRoots[row] * (double)rowRoots[row] * SumOfProducts(gradient + (row * columns), columnRoots, columns);
                }

                var constants = Constants(sum / tensor.Count, step, size);
                for (var i = 0L; i < stacks; i++)
                {
                    // The roots of a single matrix are there still.
                    if (stacks > 1)
                        FactoredOnHost.Roots(tensor.RowMeans + (i * rows), tensor.ColumnMeans + (i * columns), rows, columns, rowRoots,
                            columnRoots);
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
        for (; i + Width <= count; i += Width)
        {
            var step = Get(gradient + i) * Get(columnRoots + i) * factor;
            if (mean != null)
            {
                step = (Get(mean + i) * beta1) + (step * rest1);
                Put(mean + i, step);
            }

            Put(weight + i, (Get(weight + i) * kept) - step);
        }

        for (; i < count; i++)
        {
            var step = gradient[i] * columnRoots[i] * (rowRoot * moving.Factor);
            if (mean != null) step = mean[i] = (mean[i] * moving.Beta1) + (step * moving.Rest1);
            weight[i] = (weight[i] * moving.Kept) - step;
        }
    }

    private readonly record struct Moving(float Factor, float Kept, float Beta1, float Rest1);
}
