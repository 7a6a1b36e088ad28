using System.Buffers;

namespace StableTune.Optimizers;

/// <summary>A parameter of float32 in the memory of the CPU, with its gradient and what is remembered of it.</summary>
internal readonly unsafe struct HostTensor
{
    private readonly OptimizedParameter _parameter;

    private HostTensor(OptimizedParameter parameter, long[] shape, OptimizerUpdate update)
    {
        (_parameter, Step, LearningRate, Group) = (parameter, update.Step, update.LearningRate, update.Group);
        Weight = (float*)parameter.Value.DataPointer();
        Gradient = parameter.GradientOnHost!.Value.Plain;
        (Count, Rank) = (parameter.Count, shape.Length);
        Outputs = Rank == 0 ? 1 : shape[0];
        (Rows, Columns) = Rank < 2 ? (1, Count) : (shape[^2], shape[^1]);
    }

    /// <summary>The trained numbers; changed.</summary>
    public float* Weight { get; }

    /// <summary>Their gradients.</summary>
    public float* Gradient { get; }

    /// <summary>How many numbers there are.</summary>
    public long Count { get; }

    /// <summary>Dimensions.</summary>
    public int Rank { get; }

    /// <summary>Length of the first dimension.</summary>
    public long Outputs { get; }

    /// <summary>Rows of a matrix; parameters with more than two dimensions are stacks of matrices over their last two.</summary>
    public long Rows { get; }

    /// <summary>Columns of a matrix.</summary>
    public long Columns { get; }

    /// <summary>Matrices.</summary>
    public long Stacks => Count == 0 ? 0 : Count / (Rows * Columns);

    /// <summary>The number of the step, from 1.</summary>
    public int Step { get; }

    /// <summary>The rate.</summary>
    public double LearningRate { get; }

    /// <summary>The group.</summary>
    public ParameterGroup Group { get; }

    /// <summary>What is remembered under a slot's name; changed.</summary>
    public float* this[string slot] => (float*)Address(slot);

    /// <summary>The same; null where the parameter has no such slot.</summary>
    public float* Find(string slot) => _parameter.Find(slot) is { } found ? (float*)found.DataPointer() : null;

    /// <summary>The same of a slot of truth values.</summary>
    public byte* Bytes(string slot) => (byte*)Address(slot);

    /// <summary>The parameters of an update that can be used in place, and the others.</summary>
    /// <param name="update">The update; to be kept alive as long as they are used.</param>
    /// <param name="suits">Whether parameters of a shape are wanted in place.</param>
    public static (IReadOnlyList<HostTensor> OnHost, IReadOnlyList<OptimizedParameter> Others) Split(
        OptimizerUpdate update, Func<long[], bool> suits)
    {
        List<HostTensor> onHost = [];
        List<OptimizedParameter> rest = [];
        foreach (var parameter in update.Parameters)
        {
            var shape = parameter.Value.shape;
            if (parameter.DeviceType == DeviceType.CPU && parameter.Count <= int.MaxValue / 2 && suits(shape) && IsPlain(parameter.Value)
                && parameter.GradientOnHost is { IsPlain: true }) onHost.Add(new(parameter, shape, update));
            else rest.Add(parameter);
        }

        return (onHost, rest);

        static bool IsPlain(Tensor tensor) => tensor.dtype == ScalarType.Float32 && tensor.is_contiguous();
    }

    /// <summary>
    /// Takes the squares of numbers into their means by rows and columns, and multiplies numbers by one over the roots of those.
    /// </summary>
    /// <param name="squared">Whose squares are taken in, of the parameter's shape.</param>
    /// <param name="epsilon">Added to each square.</param>
    /// <param name="beta">What is kept of the means.</param>
    /// <param name="rows">The slot of the rows' means.</param>
    /// <param name="columns">The slot of the columns' means.</param>
    /// <param name="multiplied">What is multiplied, of the parameter's shape.</param>
    /// <param name="products">Where the products go; may be any of both.</param>
    /// <returns>The mean square of the products.</returns>
    public double Divide(
        float* squared, double epsilon, double beta, string rows, string columns, float* multiplied, float* products)
    {
        float* rowMeans = this[rows], columnMeans = this[columns];
        var roots = ArrayPool<float>.Shared.Rent((int)(Rows + Columns));
        var sums = ArrayPool<double>.Shared.Rent((int)Columns);
        var sum = 0.0;
        fixed (float* rowRoots = roots)
        {
            var columnRoots = rowRoots + Rows;
            for (var i = 0L; i < Stacks; i++, rowMeans += Rows, columnMeans += Columns)
            {
                var at = i * Rows * Columns;
                FactoredOnHost.TakeSquares(squared + at, Rows, Columns, rowMeans, columnMeans, columnRoots, sums, (float)epsilon, beta);
                FactoredOnHost.Roots(rowMeans, columnMeans, Rows, Columns, rowRoots, columnRoots);
                sum += FactoredOnHost.Multiply(multiplied + at, Rows, Columns, rowRoots, columnRoots, products + at);
            }
        }

        ArrayPool<double>.Shared.Return(sums);
        ArrayPool<float>.Shared.Return(roots);
        return sum / Count;
    }

    /// <summary>The same with a mean for each number, and no roots of rows.</summary>
    /// <param name="epsilon">Added to each square.</param>
    /// <param name="beta">What is kept of the means.</param>
    /// <param name="whole">The slot of the means.</param>
    /// <param name="products">Where gradient/√mean goes.</param>
    /// <returns>The mean square of the products.</returns>
    public double Divide(double epsilon, double beta, string whole, float* products)
    {
        var mean = this[whole];
        var (kept, rest, sum) = ((float)beta, (float)(1 - beta), 0.0);
        for (var i = 0L; i < Count; i++)
        {
            var g = Gradient[i];
            mean[i] = (mean[i] * kept) + (((g * g) + (float)epsilon) * rest);
            products[i] = g / MathF.Sqrt(mean[i]);
            sum += products[i] * (double)products[i];
        }

        return sum / Count;
    }

    private nint Address(string slot) => _parameter[slot].DataPointer();
}
