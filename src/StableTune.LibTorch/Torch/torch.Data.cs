using System.Runtime.InteropServices;

namespace StableTune.LibTorch;

public static partial class torch
{
    private static Tensor Leaf(Tensor tensor, bool requires_grad) => requires_grad ? tensor.requires_grad_() : tensor;

    /// <summary>A scalar tensor [] of one number; int64, float32 or bool by its kind unless told.</summary>
    public static Tensor tensor(Scalar scalar, ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
        => full([], scalar, dtype ?? scalar.Type, device, requires_grad);

    /// <summary>A scalar tensor [] of one float, in float32 unless told.</summary>
    public static Tensor tensor(float scalar, ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
        => full([], scalar, dtype ?? ScalarType.Float32, device, requires_grad);

    /// <summary>A scalar tensor [] of one integer, in int64 unless told.</summary>
    public static Tensor tensor(long scalar, ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
        => full([], scalar, dtype ?? ScalarType.Int64, device, requires_grad);

    /// <summary>A scalar tensor [] of one truth value, in bool unless told.</summary>
    public static Tensor tensor(bool scalar, ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
        => full([], scalar, dtype ?? ScalarType.Bool, device, requires_grad);

    /// <summary>A scalar tensor [] of one double, in float64 unless told.</summary>
    public static Tensor tensor(double scalar, ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
        => full([], scalar, dtype ?? ScalarType.Float64, device, requires_grad);

    /// <summary>A scalar tensor [] of one integer, in int32 unless told.</summary>
    public static Tensor tensor(int scalar, ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
        => full([], scalar, dtype ?? ScalarType.Int32, device, requires_grad);

    /// <summary>A copy of an array of any rank, in the dtype of its elements unless told.</summary>
    /// <exception cref="ArgumentException">The elements are no numbers.</exception>
    public static Tensor tensor(Array data, ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
        => from_array(data, dtype, device, requires_grad);

    /// <summary>A copy of an array's elements, [n], in the dtype of its elements unless told.</summary>
    /// <exception cref="ArgumentException">The elements are no numbers.</exception>
    public static Tensor tensor<T>(T[] data, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) where T : unmanaged
        => from_array(data, dtype, device, requires_grad);

    /// <summary>A copy of an array's elements, in order, in a shape.</summary>
    /// <exception cref="ArgumentException">The shape has another number of elements than the array.</exception>
    public static Tensor tensor<T>(T[] data, long[] dimensions, ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
        where T : unmanaged
        => Copy(data, dimensions, dtype, device, requires_grad);

    /// <summary>A copy of a list's elements, [n].</summary>
    public static Tensor tensor<T>(IEnumerable<T> data, ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
        where T : unmanaged
        => from_array(data.ToArray(), dtype, device, requires_grad);

    /// <summary>A copy of an array of any rank, in the dtype of its elements unless told.</summary>
    /// <exception cref="ArgumentException">The elements are no numbers.</exception>
    public static Tensor from_array(Array rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
    {
        ArgumentNullException.ThrowIfNull(rawArray);
        var shape = new long[rawArray.Rank];
        for (var k = 0; k < shape.Length; k++) shape[k] = rawArray.GetLongLength(k);
        return Copy(rawArray, shape, dtype, device, requires_grad);
    }

    private static Tensor Copy(Array data, long[] shape, ScalarType? dtype, Device? device, bool requires_grad)
    {
        ArgumentNullException.ThrowIfNull(data);
        var given = TypeOf(data.GetType().GetElementType()!);
        if (shape.Aggregate(1L, (product, size) => product * size) != data.LongLength)
            throw new ArgumentException($"{data.LongLength} elements do not fill the shape [{string.Join(", ", shape)}]");
        using var scope = NewDisposeScope();
        var made = empty(shape, given);
        var elements = MemoryMarshal.CreateReadOnlySpan(ref MemoryMarshal.GetArrayDataReference(data), checked((int)(data.LongLength * given.ElementSize())));
        elements.CopyTo(made.bytes);
        if (dtype is { } wanted && wanted != given) made = made.to(wanted);
        if (device is not null) made = made.to(device);
        return Leaf(made, requires_grad).MoveToOuterDisposeScope();
    }

    /// <summary>The dtype of a .NET element type.</summary>
    private static ScalarType TypeOf(Type element) => Type.GetTypeCode(element) switch
    {
        TypeCode.Single => ScalarType.Float32,
        TypeCode.Double => ScalarType.Float64,
        TypeCode.Int64 => ScalarType.Int64,
        TypeCode.Int32 => ScalarType.Int32,
        TypeCode.Int16 => ScalarType.Int16,
        TypeCode.SByte => ScalarType.Int8,
        TypeCode.Byte => ScalarType.Byte,
        TypeCode.Boolean => ScalarType.Bool,
        _ => element == typeof(Half) ? ScalarType.Float16 : throw new ArgumentException($"an array of {element.Name} cannot become a tensor"),
    };
}
