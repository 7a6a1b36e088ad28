using System.Runtime.CompilerServices;

namespace StableTune.Optimizers;

/// <summary>
/// Numbers in the memory of the CPU as they are kept: float32, bfloat16, or eight bits with scales. They are read and written in blocks of
/// <see cref="Block"/>; float32 can be used where it lies.
/// </summary>
internal readonly unsafe struct HostNumbers
{
    /// <summary>Numbers that are read and written at once: those that share a scale.</summary>
    public const int Block = BlockwiseQuantization.BlockSize;

    private readonly float* _scales;
    private readonly void* _values;
    private readonly BlockwiseQuantization? _quantization;
    private readonly bool _isHalf;

    private HostNumbers(void* values, bool isHalf = false)
    {
        _values = values;
        _isHalf = isHalf;
    }

    private HostNumbers(byte* codes, float* scales, BlockwiseQuantization quantization)
    {
        _values = codes;
        _scales = scales;
        _quantization = quantization;
    }

    /// <summary>Where the numbers lie, if they lie there as float32; null else.</summary>
    public float* Plain => _isHalf || _quantization is not null ? null : (float*)_values;

    /// <summary>Whether the numbers lie there as float32.</summary>
    public bool IsPlain => Plain != null;

    /// <summary>The same kind of numbers at another address.</summary>
    public HostNumbers At(nint address) => new((void*)address, _isHalf);

    /// <summary>The numbers of a contiguous tensor of float32 or bfloat16 on the CPU; null for another.</summary>
    public static HostNumbers? Of(Tensor tensor) =>
        tensor.device_type == DeviceType.CPU && tensor.dtype is ScalarType.Float32 or ScalarType.BFloat16 && tensor.is_contiguous()
            ? new HostNumbers((void*)tensor.DataPointer(), tensor.dtype == ScalarType.BFloat16) : null;

    /// <summary>The numbers of a gradient of float32 or bfloat16; null for another.</summary>
    public static HostNumbers? Of(GradientPlace gradient) => gradient.Type is ScalarType.Float32 or ScalarType.BFloat16
        ? new HostNumbers((void*)gradient.Address, gradient.Type == ScalarType.BFloat16) : null;

    /// <summary>Numbers in eight bits; null where they are not on the CPU.</summary>
    /// <param name="codes">[N, 256], uint8.</param>
    /// <param name="scales">[N], float32.</param>
    /// <param name="quantization">How numbers became codes.</param>
    public static HostNumbers? Of(Tensor codes, Tensor scales, BlockwiseQuantization quantization) =>
        codes.device_type == DeviceType.CPU
            ? new HostNumbers((byte*)codes.DataPointer(), (float*)scales.DataPointer(), quantization) : null;

    /// <summary>Reads a block.</summary>
    /// <param name="start">Its first number: a multiple of <see cref="Block"/>.</param>
    /// <param name="count">At most <see cref="Block"/>.</param>
    /// <param name="target">Where to.</param>
    public void Read(long start, int count, float* target)
    {
        if (_quantization is not null)
        {
            _quantization.Dequantize(new ReadOnlySpan<byte>((byte*)_values + start, count), _scales[start / Block],
                new Span<float>(target, count));
            return;
        }

        var halves = (ushort*)_values + start;
        for (var i = 0; i < count; i++) ((uint*)target)[i] = (uint)halves[i] << 16;
    }

    /// <summary>Writes what <see cref="Read"/> gave and was changed; bfloat16 rounded to the nearest, of two as near to the even
    /// one.</summary>
    public void Write(long start, int count, float* source)
    {
        if (_quantization is not null)
        {
            _scales[start / Block] = _quantization.Quantize(new ReadOnlySpan<float>(source, count),
                new Span<byte>((byte*)_values + start, count));
            return;
        }

        var halves = (ushort*)_values + start;
        for (var i = 0; i < count; i++) halves[i] = Rounded(((uint*)source)[i], source[i]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ushort Rounded(uint bits, float value) =>
        float.IsNaN(value) ? (ushort)0x7FC0 : (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}
