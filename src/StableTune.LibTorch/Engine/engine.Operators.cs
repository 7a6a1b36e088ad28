using System.Collections.Concurrent;
using static StableTune.LibTorch.torch;

namespace StableTune.LibTorch;

public static partial class engine
{
    private static readonly ConcurrentDictionary<(string Name, string Overload), Operator> s_operators = new();

    private static Operator Find(string name, string overload)
        => s_operators.GetOrAdd((name, overload), key => new Operator(key.Name, key.Overload));

    /// <summary>True when the loaded libtorch knows an operator.</summary>
    /// <param name="name">Its schema name, such as <c>scaled_dot_product_attention</c>; <c>aten::</c> unless it names another space.</param>
    /// <param name="overload">The overload, such as <c>Tensor</c>; empty for the plain one.</param>
    public static bool has_operator(string name, string overload = "") => Find(name, overload).Exists;

    /// <summary>Calls any operator of libtorch by its schema name.</summary>
    /// <param name="name">Its schema name, such as <c>add</c>; <c>aten::</c> unless it names another space.</param>
    /// <param name="overload">The overload, such as <c>Tensor</c>; empty for the plain one.</param>
    /// <param name="arguments">
    /// In the schema's order; missing trailing ones take its defaults. Tensors, numbers, bools, strings, <c>long[]</c>, <c>int[]</c>,
    /// <c>double[]</c>, <c>bool[]</c>, tensor lists, <see cref="Scalar"/>, <see cref="ScalarType"/>, <see cref="Device"/>,
    /// <see cref="Generator"/>, or null.
    /// </param>
    /// <returns>The results, lists flattened, numbers as scalar tensors; undefined ones are null.</returns>
    /// <exception cref="TorchException">There is no such operator, or it refuses the arguments.</exception>
    public static Tensor[] call(string name, string overload, params object?[] arguments)
        => Find(name, overload).RunAll(Array.ConvertAll(arguments, ToArgument))!;

    private static Argument ToArgument(object? value) => value switch
    {
        null => default(Argument),
        Tensor tensor => tensor,
        Scalar scalar => scalar,
        int number => number,
        long number => number,
        float number => number,
        double number => number,
        bool flag => flag,
        string text => text,
        ScalarType type => type,
        Device device => device,
        Generator generator => generator,
        long[] list => list,
        int[] list => Array.ConvertAll(list, item => (long)item),
        double[] list => list,
        bool[] list => Argument.List(list),
        IEnumerable<Tensor?> list => Argument.List(list),
        _ => throw new ArgumentException($"an operator cannot take a {value.GetType().Name}"),
    };
}
