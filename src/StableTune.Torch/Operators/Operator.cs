using System.Runtime.InteropServices;

namespace StableTune.Torch;

/// <summary>
/// One of libtorch's operators, called by its schema name through libtorch's C interface; gradients are recorded as usual. For operators
/// that TorchSharp has no method for.
/// </summary>
/// <param name="name">With its namespace, such as <c>aten::im2col</c>.</param>
/// <param name="overload">The overload's name, such as <c>List</c>; empty for the one without.</param>
/// <remarks>
/// Arguments are given in the order of the schema, all of them, also those with defaults. <c>Scalar</c> arguments and optional ones that
/// are present cannot be passed in this way: TorchSharp's methods take those.
/// </remarks>
public sealed unsafe class Operator(string name, string overload = "")
{
    /// <summary>The schema name, such as <c>aten::_foreach_add_.List</c>.</summary>
    public string Name { get; } = overload.Length == 0 ? name : $"{name}.{overload}";

    /// <summary>Calls the operator for its single result.</summary>
    /// <param name="arguments">All arguments of the schema, in its order.</param>
    /// <returns>The result, registered with the current dispose scope.</returns>
    /// <exception cref="TorchException">There is no such operator, or it refuses the arguments.</exception>
    public Tensor Call(params ReadOnlySpan<OperatorArgument> arguments)
    {
        Span<ulong> results = stackalloc ulong[Math.Max(1, arguments.Length)];
        Invoke(arguments, results);
        return Tensor.UnsafeCreateTensor((nint)results[0]);
    }

    /// <summary>Calls the operator for several results.</summary>
    /// <param name="count">How many results the schema names, each a tensor; absent ones come back as null.</param>
    /// <param name="arguments">All arguments of the schema, in its order.</param>
    /// <returns>The results, registered with the current dispose scope.</returns>
    /// <exception cref="TorchException">There is no such operator, or it refuses the arguments.</exception>
    public Tensor?[] CallForMany(int count, params ReadOnlySpan<OperatorArgument> arguments)
    {
        Span<ulong> results = stackalloc ulong[Math.Max(count, arguments.Length)];
        Invoke(arguments, results);
        var tensors = new Tensor?[count];
        for (var k = 0; k < count; k++) tensors[k] = results[k] == 0 ? null : Defined((nint)results[k]);
        return tensors;
    }

    /// <summary>Calls the operator for a list of tensors.</summary>
    /// <param name="arguments">All arguments of the schema, in its order.</param>
    /// <returns>The results, registered with the current dispose scope.</returns>
    /// <exception cref="TorchException">There is no such operator, or it refuses the arguments.</exception>
    public Tensor[] CallForList(params ReadOnlySpan<OperatorArgument> arguments)
    {
        Span<ulong> results = stackalloc ulong[Math.Max(1, arguments.Length)];
        Invoke(arguments, results);
        return OperatorArgument.TakeTensors((nint)results[0]);
    }

    /// <summary>Calls an operator that gives nothing back, such as one that works in place on lists.</summary>
    /// <param name="arguments">All arguments of the schema, in its order.</param>
    /// <exception cref="TorchException">There is no such operator, or it refuses the arguments.</exception>
    public void Do(params ReadOnlySpan<OperatorArgument> arguments)
    {
        Span<ulong> results = stackalloc ulong[Math.Max(1, arguments.Length)];
        Invoke(arguments, results);
    }

    /// <summary>The dispatcher reads the arguments from the stack, which it owns from then on, and writes the results over them.</summary>
    private void Invoke(ReadOnlySpan<OperatorArgument> arguments, Span<ulong> stack)
    {
        for (var k = 0; k < arguments.Length; k++) stack[k] = arguments[k].ToStackValue();
        int status;
        fixed (ulong* values = stack) status = LibTorch.torch_call_dispatcher(name, overload, values, LibTorch.InterfaceVersion);
        foreach (var argument in arguments) argument.KeepAlive();
        if (status != 0) throw Failure(arguments);
    }

    /// <summary>The C interface prints the reason to standard error and returns a number only: the message says what was given.</summary>
    private TorchException Failure(ReadOnlySpan<OperatorArgument> arguments)
    {
        var given = new List<Tensor?>();
        foreach (var argument in arguments) given.AddRange(argument.Tensors);
        return new TorchException(Name, "libtorch has no such operator or refuses these arguments; its own words are on standard error", given);
    }

    private static Tensor? Defined(nint handle)
    {
        var tensor = Tensor.UnsafeCreateTensor(handle);
        try
        {
            _ = tensor.Dimensions;
            return tensor;
        }
        catch (ExternalException)
        {
            tensor.Dispose();
            return null;
        }
    }
}
