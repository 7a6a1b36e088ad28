using StableTune.Optimizers;
using StableTune.Testing;

namespace StableTune.Training.Tests;

public sealed class BlockwiseQuantizationTests
{
    public static TheoryData<string> Kinds => ["signed", "unsigned"];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Map_IsTheReferences_BitForBit(string kind)
    {
        using var golden = Golden.Open("optim", "blockwise_quantization.safetensors");
        Assert.Equal(golden.Floats($"dynamic_map_{kind}"), Of(kind).Map);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Quantize_GivesTheReferencesCodesAndScales(string kind)
    {
        using var golden = Golden.Open("optim", "blockwise_quantization.safetensors");
        using var scope = NewDisposeScope();
        var input = golden[$"{kind}/input"];
        var count = (int)input.numel();
        var (codes, scales) = Of(kind).Quantize(BlockwiseQuantization.ToBlocks(input));
        Assert.Equal(golden.Floats($"{kind}/absmax"), scales.data<float>().ToArray());
        Assert.Equal(golden.Bytes($"{kind}/codes"), codes.data<byte>().ToArray()[..count]);
        Assert.Equal(golden.Floats($"{kind}/dequantized"), Of(kind).Dequantize(codes, scales).data<float>().ToArray()[..count]);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Quantize_BetweenTwoEntries_TakesTheLower_AndTheNearerBesideIt(string kind)
    {
        using var scope = NewDisposeScope();
        var map = Of(kind).Map;
        // Those middles that float32 can say; the last number makes the scale 1.
        var ties = Enumerable.Range(0, 255).Select(i => (Code: i, Middle: ((double)map[i] + map[i + 1]) / 2))
            .Where(tie => (float)tie.Middle == tie.Middle).ToArray();
        Assert.NotEmpty(ties);
        foreach (var (shift, higher) in new (Func<float, float>, int)[] { (x => x, 0), (MathF.BitDecrement, 0), (MathF.BitIncrement, 1) })
        {
            float[] numbers = [.. ties.Select(tie => shift((float)tie.Middle)), .. new float[255 - ties.Length], 1];
            var (codes, _) = Of(kind).Quantize(tensor(numbers).view(1, -1));
            Assert.Equal(ties.Select(tie => (byte)(tie.Code + higher)), codes.data<byte>().ToArray()[..ties.Length]);
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Quantize_OfNumbersOfAllSizes_TakesTheNearestEntry(string kind)
    {
        using var scope = NewDisposeScope();
        var (map, random) = (Of(kind).Map, new Random(5));
        // Around each boundary, and anywhere from 1e-9 to 1; signs where the map has them.
        var near = Enumerable.Range(0, 255).Select(i => (float)(((double)map[i] + map[i + 1]) / 2))
            .SelectMany(middle => new[] { MathF.BitDecrement(middle), middle, MathF.BitIncrement(middle) });
        var anywhere = Enumerable.Range(0, 20_000)
            .Select(_ => (float)Math.Pow(10, -9 * random.NextDouble()) * (kind == "signed" && random.Next(2) == 0 ? -1 : 1));
        foreach (var block in near.Concat(anywhere).Concat([0f, -0f]).Chunk(BlockwiseQuantization.BlockSize - 1))
        {
            float[] numbers = [.. block, .. new float[BlockwiseQuantization.BlockSize - 1 - block.Length], 1];
            var (codes, _) = Of(kind).Quantize(tensor(numbers).view(1, -1));
            Assert.Equal(block.Select(number => Nearest(map, number)), codes.data<byte>().ToArray()[..block.Length]);
        }
    }

    [Fact]
    public void Quantize_OfNumbersThatAreNotFinite_GivesCodes()
    {
        using var scope = NewDisposeScope();
        var blocks = zeros(2, BlockwiseQuantization.BlockSize);
        blocks[0, 3] = float.NaN;
        blocks[1, 3] = float.PositiveInfinity;
        var (codes, scales) = BlockwiseQuantization.Signed.Quantize(blocks);
        Assert.Equal([2, BlockwiseQuantization.BlockSize], codes.shape);
        Assert.All(scales.data<float>().ToArray(), scale => Assert.False(float.IsFinite(scale)));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Dequantize_OfEveryEntry_IsTheEntry(string kind)
    {
        using var scope = NewDisposeScope();
        var map = Of(kind).Map;
        var (codes, scales) = Of(kind).Quantize(tensor(map.ToArray()).view(1, -1));
        Assert.Equal(Enumerable.Range(0, 256).Select(i => (byte)i), codes.data<byte>().ToArray());
        Assert.Equal(map, Of(kind).Dequantize(codes, scales).data<float>().ToArray());
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Quantize_OfZeros_GivesZerosBack(string kind)
    {
        using var scope = NewDisposeScope();
        var (codes, scales) = Of(kind).Quantize(zeros(2, BlockwiseQuantization.BlockSize));
        Assert.Equal([0f, 0f], scales.data<float>().ToArray());
        Assert.All(Of(kind).Dequantize(codes, scales).data<float>().ToArray(), value => Assert.Equal(0, value));
        // What slots hold before the first step.
        Assert.All(Of(kind).Dequantize(zeros_like(codes), scales).data<float>().ToArray(), value => Assert.Equal(0, value));
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(256, 1)]
    [InlineData(257, 2)]
    public void ToBlocks_FillsTheLastBlockWithZeros(int count, int blocks)
    {
        using var scope = NewDisposeScope();
        var made = BlockwiseQuantization.ToBlocks(arange(1, count + 1, ScalarType.Float32));
        Assert.Equal([blocks, BlockwiseQuantization.BlockSize], made.shape);
        Assert.Equal(blocks, BlockwiseQuantization.BlocksFor(count));
        var expected = Enumerable.Range(1, blocks * BlockwiseQuantization.BlockSize).Select(i => i <= count ? i : 0f);
        Assert.Equal(expected, made.data<float>().ToArray());
    }

    [Fact]
    public void EveryMethod_LeavesNothingBehind()
    {
        using var values = ones(300);
        var before = HeldTensors.Before();
        for (var i = 0; i < 10; i++)
        {
            using var blocks = BlockwiseQuantization.ToBlocks(values);
            var (codes, scales) = BlockwiseQuantization.Signed.Quantize(blocks);
            using (codes) using (scales) BlockwiseQuantization.Signed.Dequantize(codes, scales).Dispose();
        }

        Assert.Equal(before, TensorCount.Live);
    }

    /// <summary>As the reference says it: the smallest distance, the lower code where two are equal.</summary>
    private static byte Nearest(IReadOnlyList<float> map, float number) =>
        (byte)Enumerable.Range(0, map.Count).MinBy(code => Math.Abs((double)map[code] - number));

    private static BlockwiseQuantization Of(string kind) =>
        kind == "signed" ? BlockwiseQuantization.Signed : BlockwiseQuantization.Unsigned;
}
