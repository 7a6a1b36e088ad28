namespace StableTune.Torch;

/// <summary>An argument of an <see cref="Operator"/>: made by conversion from a tensor, a number, a flag or a list of them.</summary>
public readonly struct OperatorArgument
{
    private readonly object? _value;
    private readonly ulong _bits;

    private OperatorArgument(object? value, ulong bits) => (_value, _bits) = (value, bits);

    /// <summary>An optional argument that is left out.</summary>
    public static OperatorArgument None => default;

    /// <summary>A tensor.</summary>
    public static implicit operator OperatorArgument(Tensor tensor) => new(tensor ?? throw new ArgumentNullException(nameof(tensor)), 0);

    /// <summary>A whole number.</summary>
    public static implicit operator OperatorArgument(long number) => new(null, unchecked((ulong)number));

    /// <summary>A floating-point number.</summary>
    public static implicit operator OperatorArgument(double number) => new(null, BitConverter.DoubleToUInt64Bits(number));

    /// <summary>A flag.</summary>
    public static implicit operator OperatorArgument(bool flag) => new(null, flag ? 1UL : 0UL);

    /// <summary>A list of whole numbers.</summary>
    public static implicit operator OperatorArgument(long[] numbers) => new(numbers ?? throw new ArgumentNullException(nameof(numbers)), 0);

    /// <summary>A list of floating-point numbers.</summary>
    public static implicit operator OperatorArgument(double[] numbers) =>
        new(numbers ?? throw new ArgumentNullException(nameof(numbers)), 0);

    /// <summary>A list of flags.</summary>
    public static implicit operator OperatorArgument(bool[] flags) => new(flags ?? throw new ArgumentNullException(nameof(flags)), 0);

    /// <summary>A text.</summary>
    public static implicit operator OperatorArgument(string text) => new(text ?? throw new ArgumentNullException(nameof(text)), 0);

    /// <summary>A list of tensors.</summary>
    public static implicit operator OperatorArgument(Tensor[] tensors) =>
        new(tensors ?? throw new ArgumentNullException(nameof(tensors)), 0);

    /// <summary>The tensors in this argument, for messages.</summary>
    internal IEnumerable<Tensor?> Tensors => _value switch { Tensor one => [one], Tensor[] many => many, _ => [] };

    /// <summary>Whether the tensors in this argument are there.</summary>
    internal bool IsUsable => _value switch
    {
        Tensor one => !one.IsInvalid,
        Tensor[] many => Array.TrueForAll(many, tensor => tensor is { IsInvalid: false }),
        _ => true,
    };

    /// <summary>The 64 bits that stand for this argument on the dispatcher's stack. Handles and lists in it belong to the
    /// dispatcher.</summary>
    internal ulong ToStackValue() => _value switch
    {
        null => _bits,
        Tensor tensor => Share(tensor),
        long[] numbers => NewList(numbers, number => unchecked((ulong)number)),
        double[] numbers => NewList(numbers, BitConverter.DoubleToUInt64Bits),
        bool[] flags => NewList(flags, flag => flag ? 1UL : 0UL),
        Tensor[] tensors => NewList(tensors, Share),
        string text => NewText(text),
        var other => throw new InvalidOperationException($"an operator cannot take a {other.GetType().Name}"),
    };

    internal void KeepAlive() => GC.KeepAlive(_value);

    /// <summary>The tensors of a list that the dispatcher gave; the list itself is freed.</summary>
    internal static Tensor[] TakeTensors(nint list)
    {
        Check(LibTorch.torch_list_size(list, out var size));
        var tensors = new Tensor[(int)size];
        for (nuint k = 0; k < size; k++)
        {
            Check(LibTorch.torch_list_get_item(list, k, out var item));
            tensors[(int)k] = Tensor.UnsafeCreateTensor((nint)item);
        }
        Check(LibTorch.torch_delete_list(list));
        return tensors;
    }

    /// <summary>A handle of its own for the tensor: the dispatcher frees what it is given.</summary>
    private static ulong Share(Tensor tensor)
    {
        Check(LibTorch.aoti_torch_new_tensor_handle(tensor.Handle, out var handle));
        return (ulong)handle;
    }

    private static ulong NewText(string text)
    {
        Check(LibTorch.torch_new_string_handle(text, (nuint)System.Text.Encoding.UTF8.GetByteCount(text), out var handle));
        return (ulong)handle;
    }

    private static ulong NewList<T>(T[] items, Func<T, ulong> bits)
    {
        Check(LibTorch.torch_new_list_reserve_size((nuint)items.Length, out var list));
        foreach (var item in items) Check(LibTorch.torch_list_push_back(list, bits(item)));
        return (ulong)list;
    }

    private static void Check(int status)
    {
        if (status != 0)
            throw new InvalidOperationException("libtorch's C interface refused an argument list; its own words are on standard error");
    }
}
