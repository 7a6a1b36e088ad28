using System.Buffers;
using System.Runtime.CompilerServices;
using static StableTune.LibTorch.torch;

namespace StableTune.LibTorch;

/// <summary>
/// The door to one operator of libtorch, found by its schema name on first use. Arguments are given in the schema's order;
/// missing trailing ones take the schema's defaults. A call allocates nothing beyond the result's <see cref="Tensor"/>.
/// </summary>
internal sealed unsafe class Operator(string name, string overload = "")
{
    private const int MaxArguments = 32;
    private const int ScratchWords = 64;
    private const int RoomForResults = 8;

    private nint _handle;

    /// <summary>The qualified name, such as <c>aten::add.Tensor</c>.</summary>
    internal string FullName => overload.Length == 0 ? QualifiedName : $"{QualifiedName}.{overload}";

    private string QualifiedName => name.Contains("::", StringComparison.Ordinal) ? name : "aten::" + name;

    /// <summary>True when the loaded libtorch knows the operator.</summary>
    internal bool Exists => Native.st_has_operator(QualifiedName, overload) != 0;

    /// <summary>Calls an operator whose (first) result is a tensor.</summary>
    internal Tensor Run(params ReadOnlySpan<Argument> arguments)
    {
        Value result;
        Invoke(arguments, &result, 1);
        return result.Tag == Tag.Tensor
            ? new Tensor(result.Pointer)
            : throw new TorchException(FullName, "the result is not a tensor");
    }

    /// <summary>Calls an operator that changes its first argument in place, and returns that argument.</summary>
    internal Tensor Apply(params ReadOnlySpan<Argument> arguments)
    {
        Invoke(arguments, null, 0);
        return (Tensor)arguments[0].Owner!;
    }

    /// <summary>Calls an operator for its effect.</summary>
    internal void Do(params ReadOnlySpan<Argument> arguments) => Invoke(arguments, null, 0);

    /// <summary>Calls an operator whose result is a number.</summary>
    internal Scalar RunScalar(params ReadOnlySpan<Argument> arguments)
    {
        Value result;
        Invoke(arguments, &result, 1);
        return result.ToScalar();
    }

    /// <summary>Calls an operator with two tensors as its results.</summary>
    internal (Tensor, Tensor) RunPair(params ReadOnlySpan<Argument> arguments)
    {
        var results = RunAll(arguments);
        return (results[0]!, results[1]!);
    }

    /// <summary>Calls an operator with any number of results. Lists are flattened; what is undefined comes as null.</summary>
    internal Tensor?[] RunAll(params ReadOnlySpan<Argument> arguments)
    {
        var buffer = stackalloc Value[RoomForResults];
        var count = Invoke(arguments, buffer, RoomForResults);
        if (count <= RoomForResults) return ToTensors(new ReadOnlySpan<Value>(buffer, count));
        var spilled = new Value[count];
        fixed (Value* values = spilled) Native.st_results(values);
        return ToTensors(spilled);
    }

    /// <summary>Calls an operator whose result is a list of tensors, all defined.</summary>
    internal Tensor[] RunList(params ReadOnlySpan<Argument> arguments) => RunAll(arguments)!;

    private static Tensor?[] ToTensors(ReadOnlySpan<Value> values)
    {
        var tensors = new Tensor?[values.Length];
        for (var k = 0; k < values.Length; k++)
        {
            tensors[k] = values[k].Tag switch
            {
                Tag.Tensor => new Tensor(values[k].Pointer),
                Tag.None => null,
                _ => tensor(values[k].ToScalar()),
            };
        }
        return tensors;
    }

    [SkipLocalsInit]
    private int Invoke(ReadOnlySpan<Argument> arguments, Value* results, int capacity)
    {
        var handle = _handle != 0 ? _handle : Resolve();
        if (arguments.Length > MaxArguments) throw new ArgumentException($"{FullName} takes at most {MaxArguments} arguments");
        var values = stackalloc Value[MaxArguments];
        var words = 0;
        for (var k = 0; k < arguments.Length; k++)
        {
            values[k] = arguments[k].Value;
            words += arguments[k].Words;
        }
        if (words > 0) return InvokeWithLists(handle, arguments, values, words, results, capacity);
        int count;
        if (Native.st_call(handle, values, arguments.Length, results, capacity, &count) is var status and not 0) Fail(status, arguments);
        return count;
    }

    [SkipLocalsInit]
    private int InvokeWithLists(nint handle, ReadOnlySpan<Argument> arguments, Value* values, int words, Value* results, int capacity)
    {
        var onStack = stackalloc long[ScratchWords];
        var rented = words > ScratchWords ? ArrayPool<long>.Shared.Rent(words) : null;
        int status, count;
        fixed (long* onHeap = rented)
        {
            var next = rented is null ? onStack : onHeap;
            for (var k = 0; k < arguments.Length; k++)
            {
                var length = arguments[k].Words;
                if (length == 0) continue;
                arguments[k].CopyItems(next);
                values[k].Pointer = (nint)next;
                next += length;
            }
            status = Native.st_call(handle, values, arguments.Length, results, capacity, &count);
        }
        if (rented is not null) ArrayPool<long>.Shared.Return(rented);
        if (status != 0) Fail(status, arguments);
        return count;
    }

    private nint Resolve()
    {
        if (Native.st_operator(QualifiedName, overload, out var handle) != 0)
        {
            throw new TorchException(FullName, $"{Native.LastError()} This is libtorch {engine.version}; "
                + "ask engine.has_operator before calling operators that only newer ones have.");
        }
        return _handle = handle;
    }

    private void Fail(int status, ReadOnlySpan<Argument> arguments)
    {
        HostExceptions.RethrowIfHost(status);
        throw new TorchException(FullName, Native.LastError(), TorchException.Describe(arguments));
    }
}
