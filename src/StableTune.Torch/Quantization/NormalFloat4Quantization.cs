namespace StableTune.Torch;

/// <summary>
/// 4 bits for each number: one of 16 levels that lie at the quantiles of a normal distribution, times the largest absolute value of each
/// block of 64 numbers in a row. Two codes share a byte, the first in its upper half.
/// </summary>
/// <remarks>Dettmers et al., QLoRA, arXiv:2305.14314, section 3 and appendix E (the levels). A number is off by at most 0.152 of its
/// block's largest.</remarks>
public sealed record NormalFloat4Quantization : WeightQuantization
{
    private const long Block = 64;

    private static readonly float[] s_levels =
    [
        -1.0f, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f, -0.28444138169288635f, -0.18477343022823334f,
        -0.09105003625154495f, 0.0f, 0.07958029955625534f, 0.16093020141124725f, 0.24611230194568634f, 0.33791524171829224f,
        0.44070982933044434f, 0.5626170039176941f, 0.7229568362236023f, 1.0f,
    ];

    /// <summary>The levels of codes 0 to 15, increasing.</summary>
    public static IReadOnlyList<float> Levels => s_levels;

    /// <inheritdoc/>
    public override string Name => "nf4";

    /// <inheritdoc/>
    public override double BitsPerWeight => 4 + (32.0 / Block);

    /// <inheritdoc/>
    public override QuantizedCodes Encode(Tensor weight)
    {
        ArgumentNullException.ThrowIfNull(weight);
        using var scope = NewDisposeScope();
        var flat = weight.detach().to(ScalarType.Float32).flatten();
        var over = (Block - flat.numel() % Block) % Block;
        if (over > 0) flat = cat([flat, zeros(over, dtype: ScalarType.Float32, device: flat.device)], 0);
        var blocks = flat.reshape(-1, Block);                                                           // [blocks, 64]
        var scales = blocks.abs().amax([1], keepdim: true);                                             // [blocks, 1]
        var normed = blocks / scales.masked_fill(scales.eq(0), 1);
        var codes = zeros(normed.shape, dtype: ScalarType.Byte, device: flat.device);
        // Number of midpoints below: fifteen passes over the weight, once a run, and no temporary of eight bytes a number.
        for (var level = 1; level < s_levels.Length; level++)
            codes.add_(normed.gt((s_levels[level - 1] + s_levels[level]) / 2).to(ScalarType.Byte));
        var pairs = codes.reshape(-1, 2);
        var bytes = pairs.select(1, 0) * 16 + pairs.select(1, 1);
        return new QuantizedCodes(bytes.to(ScalarType.Byte).MoveToOuterDisposeScope(), scales.MoveToOuterDisposeScope());
    }

    /// <inheritdoc/>
    public override Tensor Decode(QuantizedCodes codes, long[] shape, ScalarType type)
    {
        ArgumentNullException.ThrowIfNull(codes);
        ArgumentNullException.ThrowIfNull(shape);
        using var scope = NewDisposeScope();
        var pairs = Pairs(codes.Codes.device).index_select(0, codes.Codes.to(ScalarType.Int32));        // [bytes, 2]
        var numbers = pairs.reshape(-1, Block).mul_(codes.Scales!).flatten();
        var count = shape.Aggregate(1L, (product, size) => product * size);
        if (numbers.numel() > count) numbers = numbers.narrow(0L, 0, count);
        var weight = numbers.reshape(shape).to(type);
        return weight.MoveToOuterDisposeScope();
    }

    /// <summary>The two levels of every byte, [256, 2].</summary>
    private static Tensor Pairs(Device device)
    {
        var values = new float[512];
        for (var code = 0; code < 256; code++) (values[2 * code], values[(2 * code) + 1]) = (s_levels[code >> 4], s_levels[code & 15]);
        using var scope = NewDisposeScope();
        return AlignedTensor.Of(values, 256, 2).to(device).MoveToOuterDisposeScope();
    }
}
