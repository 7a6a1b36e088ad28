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
/// <para>
/// The C interface tells nobody what a schema holds, so calls are trusted as the signature of a native function is. Of arguments that are
/// left out at the end, numbers and flags are read as 0 and optional ones as absent, but a tensor, text or list that is left out, an
/// argument of another kind, or a wrong number of results ends the process.
/// </para>
/// </remarks>
public sealed unsafe class Operator(string name, string overload = "")
{
    /// <summary>More than any schema has arguments or results: libtorch reads as many as the schema has, whatever it is given.</summary>
    private const int StackSize = 64;

    /// <summary>The schema name, such as <c>aten::_foreach_add_.List</c>.</summary>
    public string Name { get; } = overload.Length == 0 ? name : $"{name}.{overload}";

    /// <summary>Calls the operator for its single result.</summary>
    /// <param name="arguments">All arguments of the schema, in its order.</param>
    /// <returns>The result, registered with the current dispose scope.</returns>
    /// <exception cref="TorchException">There is no such operator, or it refuses the arguments.</exception>
    public Tensor Call(params ReadOnlySpan<OperatorArgument> arguments)
    {
        Span<ulong> results = stackalloc ulong[StackSize];
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
        Span<ulong> results = stackalloc ulong[StackSize];
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
        Span<ulong> results = stackalloc ulong[StackSize];
        Invoke(arguments, results);
        return OperatorArgument.TakeTensors((nint)results[0]);
    }

    /// <summary>Calls an operator that gives nothing back, such as one that works in place on lists.</summary>
    /// <param name="arguments">All arguments of the schema, in its order.</param>
    /// <exception cref="TorchException">There is no such operator, or it refuses the arguments.</exception>
    public void Do(params ReadOnlySpan<OperatorArgument> arguments)
    {
        Span<ulong> results = stackalloc ulong[StackSize];
        Invoke(arguments, results);
    }

    /// <summary>The dispatcher reads the arguments from the stack, which it owns from then on, and writes the results over them.</summary>
    private void Invoke(ReadOnlySpan<OperatorArgument> arguments, Span<ulong> stack)
    {
        if (arguments.Length > stack.Length)
            throw new ArgumentException($"{Name} cannot take {arguments.Length} arguments.", nameof(arguments));
        // Before anything is handed over, which a failure later on would leave behind.
        foreach (var argument in arguments)
            if (!argument.IsUsable)
                throw Failure(arguments, "a tensor among the arguments is null or disposed");
        stack.Clear();
        for (var k = 0; k < arguments.Length; k++) stack[k] = arguments[k].ToStackValue();
        int status;
        fixed (ulong* values = stack) status = LibTorch.torch_call_dispatcher(name, overload, values, LibTorch.InterfaceVersion);
        foreach (var argument in arguments) argument.KeepAlive();
        if (status != 0)
            throw Failure(arguments, "libtorch has no such operator or refuses these arguments; its own words are on standard error");
    }

    /// <summary>The C interface prints the reason to standard error and returns a number only: the message says what was given.</summary>
    private TorchException Failure(ReadOnlySpan<OperatorArgument> arguments, string reason)
    {
        var given = new List<Tensor?>();
        foreach (var argument in arguments) given.AddRange(argument.Tensors);
        return new TorchException(Name, reason, given);
    }

    private static Tensor? Defined(nint handle)
    {
        var tensor = Tensor.UnsafeCreateTensor(handle);
        if (LibTorch.aoti_torch_is_defined(handle, out var isDefined) == 0 && isDefined) return tensor;
        tensor.Dispose();
        return null;
    }
}
