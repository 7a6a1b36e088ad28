namespace StableTune.Torch.Tests;

/// <summary>Codes of weights against a reference that works number by number.</summary>
public sealed class WeightQuantizationTests
{
    public static TheoryData<string> Names() => [.. WeightQuantization.Catalog.Names];

    [Fact]
    public void Float8_OfEveryCodeAndWhatLiesBetween_IsTheNearestNumberOfTheFormat()
    {
        var numbers = Enumerable.Range(0, 127).Select(Float8).ToArray();
        float[] between = [.. numbers.Zip(numbers[1..], (low, high) => new[]
        {
            low, (low + high) / 2, low + (high - low) * 0.49f, low + (high - low) * 0.51f,
        }).SelectMany(values => values), 448, 500];
        float[] values = [.. between, .. between.Select(value => -value)];
        using var scope = NewDisposeScope();
        var decoded = RoundTrip(WeightQuantization.Float8, values, values.Length, 1);
        for (var i = 0; i < values.Length; i++) Assert.Equal(Nearest(values[i], numbers), decoded[i]);
    }

    [Fact]
    public void Int8_OfRandomRows_IsTheNearestMultipleOfTheRowsScale()
    {
        const int rows = 7, columns = 33;
        var values = Random(rows * columns, 1);
        values.AsSpan(2 * columns, columns).Clear();                          // a row of zeros
        using var scope = NewDisposeScope();
        var decoded = RoundTrip(WeightQuantization.Int8, values, rows, columns);
        for (var row = 0; row < rows; row++)
        {
            var scale = values.Skip(row * columns).Take(columns).Max(Math.Abs) / 127;
            for (var i = row * columns; i < (row + 1) * columns; i++)
                Assert.Equal(scale == 0 ? 0 : MathF.Round(values[i] / scale) * scale, decoded[i], 1e-6);
        }
    }

    [Theory]
    [InlineData(8, 32)]                                                       // whole blocks
    [InlineData(5, 27)]                                                       // the last block is not full
    public void NormalFloat4_OfRandomNumbers_IsTheNearestLevelOfTheBlock(int rows, int columns)
    {
        var values = Random(rows * columns, 2);
        values.AsSpan(0, 64).Clear();
        using var scope = NewDisposeScope();
        var decoded = RoundTrip(WeightQuantization.NormalFloat4, values, rows, columns);
        for (var i = 0; i < values.Length; i++)
        {
            var largest = values.Skip(i / 64 * 64).Take(64).Max(Math.Abs);
            var nearest = largest == 0 ? 0
                : NormalFloat4Quantization.Levels.MinBy(level => Math.Abs(level - values[i] / largest)) * largest;
            Assert.Equal(nearest, decoded[i], 1e-6);
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Bytes_OfAWeight_AreWhatTheFormatSays(string name)
    {
        using var scope = NewDisposeScope();
        var quantization = WeightQuantization.Catalog.Create(name);
        using var held = new QuantizedWeight(AlignedTensor.Of(Random(320 * 640, 3), 320, 640), quantization);
        Assert.InRange(held.Bytes * 8.0 / (320 * 640), quantization.BitsPerWeight * 0.99, quantization.BitsPerWeight * 1.01);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Encode_OfHalfPrecision_AnswersInTheTypeThatIsAskedFor(string name)
    {
        using var scope = NewDisposeScope();
        var quantization = WeightQuantization.Catalog.Create(name);
        var weight = AlignedTensor.Of(Random(6 * 2 * 3 * 3, 4), 6, 2, 3, 3).to(ScalarType.BFloat16);
        using var held = new QuantizedWeight(weight, quantization);
        using var exact = new QuantizedWeight(weight.to(ScalarType.Float32), quantization);
        var decoded = held.Dequantize(ScalarType.BFloat16);
        Assert.Equal((ScalarType.BFloat16, true), (decoded.dtype, decoded.is_contiguous()));
        Assert.Equal([6, 2, 3, 3], decoded.shape);
        Assert.True(held.Dequantize(ScalarType.Float32).equal(exact.Dequantize(ScalarType.Float32)).all().item<bool>());
    }

    private static float[] RoundTrip(WeightQuantization quantization, float[] values, long rows, long columns)
    {
        using var held = new QuantizedWeight(AlignedTensor.Of(values, rows, columns), quantization);
        return held.Dequantize(ScalarType.Float32).data<float>().ToArray();
    }

    private static float[] Random(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => (random.NextSingle() - 0.5f) * 0.2f)];
    }

    /// <summary>The number of a code: a sign, 4 bits of exponent with bias 7, 3 of mantissa.</summary>
    private static float Float8(int code)
    {
        var (exponent, mantissa) = ((code >> 3) & 15, code & 7);
        return exponent == 0 ? mantissa / 8f * MathF.Pow(2, -6) : (1 + mantissa / 8f) * MathF.Pow(2, exponent - 7);
    }

    /// <summary>The nearest; of two that are as near, the one with an even code.</summary>
    private static float Nearest(float value, float[] numbers)
    {
        var code = Enumerable.Range(0, numbers.Length).OrderBy(i => Math.Abs(numbers[i] - Math.Abs(value))).ThenBy(i => i % 2).First();
        return MathF.CopySign(numbers[code], value);
    }
}
