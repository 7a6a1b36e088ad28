namespace StableTune.Training.Tests;

/// <summary>A parameter of plain numbers in double precision, for formulas written as in their papers, number by number.</summary>
internal sealed class PlainParameter(double[] weights, long[] shape)
{
    private readonly Dictionary<string, double[]> _remembered = new(StringComparer.Ordinal);

    public double[] W { get; } = weights;

    public int Count => W.Length;

    /// <summary>Dimensions of the parameter.</summary>
    public int Rank => shape.Length;

    /// <summary>Rows and columns of the matrices over the last two dimensions.</summary>
    public (int Rows, int Columns) Matrix => ((int)shape[^2], (int)shape[^1]);

    /// <summary>Rows and columns of the matrix [first dimension, rest].</summary>
    public (int Rows, int Columns) Flat => ((int)shape[0], (int)(Count / shape[0]));

    public double[] this[string name] => this[name, Count];

    public double[] this[string name, int count]
    {
        get
        {
            if (!_remembered.TryGetValue(name, out var values)) _remembered.Add(name, values = new double[count]);
            return values;
        }
    }

    public static double RootMeanSquare(double[] values) => Math.Sqrt(values.Sum(value => value * value) / values.Length);

    /// <summary>Takes the means of rows and columns into what is remembered, and gives one over the root of their product.</summary>
    public double[] FactoredInverseRoot(string name, double[] squares, double beta)
    {
        var (rows, columns) = Matrix;
        var matrices = Count / (rows * columns);
        var (rowMeans, columnMeans) = (this[name + ".r", matrices * rows], this[name + ".c", matrices * columns]);
        var result = new double[Count];
        for (var k = 0; k < matrices; k++)
        {
            double At(int i, int j) => squares[(((k * rows) + i) * columns) + j];
            for (var i = 0; i < rows; i++)
                rowMeans[(k * rows) + i] = (beta * rowMeans[(k * rows) + i])
                    + ((1 - beta) * Enumerable.Range(0, columns).Average(j => At(i, j)));
            for (var j = 0; j < columns; j++)
                columnMeans[(k * columns) + j] = (beta * columnMeans[(k * columns) + j])
                    + ((1 - beta) * Enumerable.Range(0, rows).Average(i => At(i, j)));
            var mean = Enumerable.Range(0, rows).Average(i => rowMeans[(k * rows) + i]);
            for (var i = 0; i < rows; i++)
                for (var j = 0; j < columns; j++)
                    result[(((k * rows) + i) * columns) + j] =
                        1 / Math.Sqrt(rowMeans[(k * rows) + i] * columnMeans[(k * columns) + j] / mean);
        }

        return result;
    }
}

/// <summary>A step of a formula.</summary>
/// <param name="p">The parameter.</param>
/// <param name="g">Its gradient.</param>
/// <param name="t">The step, from 1.</param>
/// <param name="lr">The rate.</param>
internal delegate void PlainStep(PlainParameter p, double[] g, int t, double lr);
