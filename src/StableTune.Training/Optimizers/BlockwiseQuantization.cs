using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace StableTune.Optimizers;

/// <summary>
/// Numbers in eight bits, as bitsandbytes' optimizers remember them: 256 consecutive numbers, a block, share one scale, their largest
/// absolute value, and each number is stored as the place of the nearest entry in a map of 256 numbers from -1 to 1, which lie closer
/// together around 0.
/// </summary>
/// <remarks>
/// Dettmers et al., 8-bit Optimizers via Block-wise Quantization, arXiv:2110.02861. Where two entries are equally near, the lower one is
/// taken, as bitsandbytes does on a CPU; its CUDA kernels search less exactly and may give the neighbour.
/// </remarks>
public sealed class BlockwiseQuantization
{
    /// <summary>Numbers that share a scale.</summary>
    public const int BlockSize = 256;

    /// <summary>Powers of ten that the map spans, from 1e-6 to 1.</summary>
    private const int Decades = 7;

    /// <summary>Upper halves of float32 numbers.</summary>
    private const int Halves = 1 << 16;

    private static readonly Operator ViewAs = new("aten::view", "dtype"), Copy = new("aten::copy_");

    private readonly float[] _map, _limits = new float[Halves];
    private readonly byte[] _lowest = new byte[Halves];

    private BlockwiseQuantization(bool signed)
    {
        float[] above = [.. Enumerable.Range(0, Decades).SelectMany(decade => Entries(decade, 1 << (signed ? decade : decade + 1)))];
        _map = [.. above.Concat(signed ? above.Select(value => -value) : []).Append(0).Append(1).Order()];
        float[] boundaries = [.. _map.Zip(_map.Skip(1), Boundary)];
        for (var half = 0; half < Halves; half++) (_lowest[half], _limits[half]) = CodesOf(half, boundaries);
    }

    /// <summary>For numbers of both signs, such as means of gradients. The map begins at -0.993 and ends at 1.</summary>
    public static BlockwiseQuantization Signed { get; } = new(signed: true);

    /// <summary>For numbers from 0, such as means of squared gradients; twice as fine.</summary>
    public static BlockwiseQuantization Unsigned { get; } = new(signed: false);

    /// <summary>The map: what each code stands for before it is multiplied by the block's scale; ascending.</summary>
    public IReadOnlyList<float> Map => _map;

    /// <summary>How many blocks hold so many numbers.</summary>
    public static long BlocksFor(long count) => (count + BlockSize - 1) / BlockSize;

    /// <summary>Puts a tensor's numbers, in the order of its indices, into blocks; the last is filled up with zeros.</summary>
    /// <param name="values">Any shape.</param>
    /// <returns>The blocks, [N, 256]; a view of the numbers where they fill whole blocks.</returns>
    public static Tensor ToBlocks(Tensor values)
    {
        ArgumentNullException.ThrowIfNull(values);
        using var scope = NewDisposeScope();
        var flat = values.reshape(-1);
        var missing = (BlocksFor(flat.numel()) * BlockSize) - flat.numel();
        if (missing > 0) flat = cat([flat, zeros(missing, flat.dtype, flat.device)]);
        return flat.view(-1, BlockSize).MoveToOuterDisposeScope();
    }

    /// <summary>Stores blocks of numbers in eight bits.</summary>
    /// <param name="blocks">Numbers, [N, 256], float32.</param>
    /// <returns>
    /// A code for each number, [N, 256], uint8, and a scale for each block, [N], float32: 0 where all of its numbers are 0.
    /// </returns>
    public (Tensor Codes, Tensor AbsMax) Quantize(Tensor blocks)
    {
        ArgumentNullException.ThrowIfNull(blocks);
        using var scope = NewDisposeScope();
        var largest = blocks.abs().amax([1]);                                          // [N]
        var shares = blocks / where(largest > 0, largest, ones_like(largest)).unsqueeze(1);     // 0 / 0 would be NaN
        // A search among the boundaries (searchsorted) would take a processor several times as long.
        var halves = ViewAs.Call(shares, (long)ScalarType.Int32).view(-1).bitwise_right_shift(16).add_(Halves / 2);
        var above = shares.view(-1) > On(blocks.device, tensor(_limits)).index_select(0, halves);
        var codes = On(blocks.device, tensor(_lowest)).index_select(0, halves).add_(above.to(ScalarType.Byte));
        return (codes.view(-1, BlockSize).MoveToOuterDisposeScope(), largest.MoveToOuterDisposeScope());
    }

    /// <summary>The numbers that codes stand for.</summary>
    /// <param name="codes">[N, 256], uint8.</param>
    /// <param name="absMax">The scale of each block, [N], float32.</param>
    /// <returns>Numbers, [N, 256], float32.</returns>
    public Tensor Dequantize(Tensor codes, Tensor absMax)
    {
        ArgumentNullException.ThrowIfNull(codes);
        ArgumentNullException.ThrowIfNull(absMax);
        using var scope = NewDisposeScope();
        var shares = On(codes.device, tensor(_map)).index_select(0, codes.view(-1).to(ScalarType.Int32));
        return shares.view(-1, BlockSize).mul_(absMax.unsqueeze(1)).MoveToOuterDisposeScope();
    }

    /// <summary>Stores a block of numbers in the CPU's memory, as <see cref="Quantize(Tensor)"/> does.</summary>
    /// <param name="numbers">At most 256.</param>
    /// <param name="codes">Where the codes go, as many.</param>
    /// <returns>The block's scale.</returns>
    internal float Quantize(ReadOnlySpan<float> numbers, Span<byte> codes)
    {
        var largest = 0f;
        foreach (var number in numbers) largest = MathF.Max(largest, MathF.Abs(number));
        var divisor = largest > 0 ? largest : 1;
        ref var lowest = ref MemoryMarshal.GetArrayDataReference(_lowest);
        ref var limits = ref MemoryMarshal.GetArrayDataReference(_limits);
        for (var i = 0; i < codes.Length; i++)
        {
            var share = numbers[i] / divisor;
            var half = (BitConverter.SingleToInt32Bits(share) >> 16) + (Halves / 2);      // 0 to 65535
            codes[i] = (byte)(Unsafe.Add(ref lowest, half) + (share > Unsafe.Add(ref limits, half) ? 1 : 0));
        }

        return largest;
    }

    /// <summary>The numbers that codes in the CPU's memory stand for.</summary>
    /// <param name="codes">The codes of a block.</param>
    /// <param name="scale">The block's scale.</param>
    /// <param name="numbers">Where the numbers go, as many.</param>
    internal void Dequantize(ReadOnlySpan<byte> codes, float scale, Span<float> numbers)
    {
        ref var map = ref MemoryMarshal.GetArrayDataReference(_map);
        for (var i = 0; i < codes.Length; i++) numbers[i] = Unsafe.Add(ref map, codes[i]) * scale;
    }

    /// <summary>A table on a device, without waiting for what the device is doing.</summary>
    private static Tensor On(Device device, Tensor table)
    {
        if (device.type == DeviceType.CPU) return table;
        var there = empty(table.shape, table.dtype, device);
        Copy.Do(there, table.pin_memory(), true);
        return there;
    }

    /// <summary>
    /// The codes of all numbers that have one upper half: up to a limit the lower one, above it the next. There is at most one boundary
    /// between them, because entries of the map lie further apart than that.
    /// </summary>
    /// <param name="half">The upper half as a signed number, from the lowest.</param>
    /// <param name="boundaries">The largest number of each code but the last.</param>
    private static (byte Lowest, float Limit) CodesOf(int half, float[] boundaries)
    {
        var bits = (half - (Halves / 2)) << 16;
        var (first, last) = (BitConverter.Int32BitsToSingle(bits), BitConverter.Int32BitsToSingle(bits | 0xFFFF));
        if (float.IsNaN(first) || float.IsNaN(last)) return (0, float.PositiveInfinity);
        var (least, most) = (Math.Min(first, last), Math.Max(first, last));
        var found = Array.BinarySearch(boundaries, least);
        var code = found < 0 ? ~found : found;                     // the first boundary that is not below
        return ((byte)code, code < boundaries.Length && boundaries[code] < most ? boundaries[code] : float.PositiveInfinity);
    }

    /// <summary>
    /// The middles of so many equal parts of [0.1, 1], scaled to a decade; in float32, rounded where torch's linspace rounds, so that the
    /// map is bitsandbytes' bit for bit.
    /// </summary>
    private static IEnumerable<float> Entries(int decade, int count)
    {
        var (step, scale) = ((1f - 0.1f) / count, (float)Math.Pow(10, decade - Decades + 1));
        float Edge(int i) => i < (count + 1) / 2 ? MathF.FusedMultiplyAdd(step, i, 0.1f) : MathF.FusedMultiplyAdd(-step, count - i, 1f);
        return Enumerable.Range(0, count).Select(i => (Edge(i) + Edge(i + 1)) / 2 * scale);
    }

    /// <summary>The largest number that is not nearer to the higher of two entries.</summary>
    private static float Boundary(float lower, float higher)
    {
        var middle = ((double)lower + higher) / 2;
        return (float)middle > middle ? MathF.BitDecrement((float)middle) : (float)middle;
    }
}
