namespace StableTune.Tensors.Tests;

/// <summary>A piece of memory is cleared of NaN and infinities only if it holds none, wherever they stand in it.</summary>
public sealed class FiniteNumbersTests
{
    [Theory]
    [InlineData(ScalarType.Float16, 2, 0x7C00UL, 0xFC00UL, 0x7E00UL, 0x7BFFUL)]
    [InlineData(ScalarType.BFloat16, 2, 0x7F80UL, 0xFF80UL, 0x7FC0UL, 0x7F7FUL)]
    [InlineData(ScalarType.Float32, 4, 0x7F800000UL, 0xFF800000UL, 0x7FC00000UL, 0xFF7FFFFFUL)]
    [InlineData(ScalarType.Float64, 8, 0x7FF0000000000000UL, 0xFFF0000000000000UL, 0x7FF8000000000000UL, 0xFFEFFFFFFFFFFFFFUL)]
    public void AreAll_OneOddNumberAtAnyPlace_SeesIt(ScalarType type, int size, ulong infinity, ulong minus, ulong nan, ulong largest)
    {
        for (var length = 1; length <= 70; length++)
        {
            var bytes = new byte[length * size];
            void Put(int place, ulong number) => BitConverter.GetBytes(number).AsSpan(0, size).CopyTo(bytes.AsSpan(place * size));
            for (var i = 0; i < length; i++) Put(i, largest);
            Assert.True(FiniteNumbers.AreAll(bytes, type));
            for (var i = 0; i < length; i++)
            {
                foreach (var odd in new[] { infinity, minus, nan })
                {
                    Put(i, odd);
                    Assert.False(FiniteNumbers.AreAll(bytes, type));
                }

                Put(i, largest);
            }
        }
    }

    [Fact]
    public void AreAll_NoNumbersOrWholeOnes_AreFinite()
    {
        Assert.True(FiniteNumbers.AreAll([], ScalarType.Float32));
        Assert.True(FiniteNumbers.AreAll(BitConverter.GetBytes(0x7F800000), ScalarType.Int32));
    }
}
