namespace StableTune.Imaging.Tests;

public sealed class DrawingTests
{
    private static int Count(PixelImage image, PixelColor color)
    {
        var count = 0;
        for (var i = 0; i < image.Pixels.Length; i += 3)
            if (new PixelColor(image.Pixels[i], image.Pixels[i + 1], image.Pixels[i + 2]) == color) count++;
        return count;
    }

    [Fact]
    public void Glyphs_AllPrintable_DifferAndFitTheirCell()
    {
        string[] glyphs = [.. Enumerable.Range(' ', 95).Select(c => Convert.ToHexString(BitmapFont.Glyph((char)c)))];
        Assert.Equal(95, glyphs.Distinct().Count());
        Assert.All(glyphs, glyph => Assert.True(glyph.Length / 2 is >= 7 and <= 9));
        Assert.All(Enumerable.Range(' ', 95), c => Assert.True(BitmapFont.Glyph((char)c).IndexOfAnyExceptInRange((byte)0, (byte)31) < 0));
        Assert.Equal(BitmapFont.Glyph('é').ToArray(), BitmapFont.Glyph('蛙').ToArray());
        Assert.Equal((byte)0b10001, BitmapFont.Glyph('H')[0]);
        Assert.Equal((byte)0b11111, BitmapFont.Glyph('H')[3]);
    }

    [Theory]
    [InlineData("", 10, 3, "")]
    [InlineData("a frog", 10, 3, "a frog")]
    [InlineData("a green  frog\nsits", 8, 3, "a green|frog|sits")]
    [InlineData("extraordinarily", 8, 3, "extraord|inarily")]
    [InlineData("one two three four", 9, 2, "one two|three...")]
    [InlineData("a frog", 10, 0, "")]
    public void Wrap_Text_BreaksAtBlanks(string text, int columns, int lines, string expected)
        => Assert.Equal(expected, string.Join('|', BitmapFont.Wrap(text, columns, lines)));

    [Fact]
    public void Canvas_Shapes_CoverTheirArea()
    {
        var canvas = new Canvas(100, 100, PixelColor.White);
        canvas.FillEllipse(50, 50, 30, 20, PixelColor.Black, degrees: 30);
        var ink = canvas.Image.Pixels.Sum(value => (255 - value) / 255.0) / 3;
        Assert.Equal(Math.PI * 30 * 20, ink, tolerance: 6);

        canvas = new Canvas(100, 100, PixelColor.White);
        canvas.DrawLine([(10.5, 20), (90.5, 20), (90.5, 80)], 3, PixelColor.Black);
        ink = canvas.Image.Pixels.Sum(value => (255 - value) / 255.0) / 3;
        Assert.Equal((140 * 3) + (Math.PI * 2.25), ink, tolerance: 4);   // round ends; the corner counts once

        canvas = new Canvas(10, 10, PixelColor.White);
        canvas.Fill(-5, 8, 100, 100, PixelColor.Black);
        canvas.DrawImage(new PixelImage(4, 4), 8, -2);
        Assert.Equal(20 + 4, Count(canvas.Image, PixelColor.Black));
        Assert.Throws<ArgumentException>(() => new Canvas(new PixelImage(2, 2, 4)));
    }

    [Fact]
    public void Canvas_Text_HasTheDotsOfItsGlyphs()
    {
        var canvas = new Canvas(60, 30, PixelColor.White);
        canvas.DrawText(2, 3, "Hi", 2, PixelColor.Black);
        var dots = "Hi".Sum(c => BitmapFont.Glyph(c).ToArray().Sum(row => System.Numerics.BitOperations.PopCount(row)));
        Assert.Equal(4 * dots, Count(canvas.Image, PixelColor.Black));
        Assert.Equal(0, canvas.Image.Row(3)[3 * 2]);
        Assert.Equal(22, Canvas.TextWidth("Hi", 2));

        var turned = new Canvas(30, 60, PixelColor.White);
        turned.DrawTextUpwards(3, 58, "Hi", 2, PixelColor.Black);
        Assert.Equal(canvas.Image.Oriented(8).Pixels, turned.Image.Pixels);
    }

    [Fact]
    public void ContactSheet_Grid_HoldsEveryPicture()
    {
        var red = new Canvas(32, 32, new(200, 0, 0)).Image;
        var green = new Canvas(600, 300, new(0, 200, 0)).Image;
        var sheet = ContactSheet.Draw(
            [new("before", [new(red, "a frog"), new(red)]), new("after", [new(green, "another frog"), new(green), new(red)])],
            new() { CellPixels = 100, GapPixels = 10, Title = "Frogs" });
        Assert.Equal((2 * 20) + (3 * 100) + (2 * 10), sheet.Width);
        Assert.Equal(3 * 96 * 96, Count(sheet, new(200, 0, 0)));     // 32 enlarged by the whole factor 3
        Assert.Equal(2 * 100 * 50, Count(sheet, new(0, 200, 0)));
        Assert.Throws<ArgumentException>(() => ContactSheet.Draw([]));
        Assert.Throws<ArgumentException>(() => ContactSheet.Draw([new("x", [])]));
        Assert.Contains("CellPixels", Assert.Throws<InvalidOptionsException>(() => ContactSheet.Draw([new("", [new(red)])], new() { CellPixels = 3 })).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0.03, 0.31, "0.0 0.1 0.2 0.3 0.4")]
    [InlineData(-3, 7, "-4 -2 0 2 4 6 8")]
    [InlineData(0, 0.0001, "0 2.0e-5 4.0e-5 6.0e-5 8.0e-5 1.0e-4")]
    [InlineData(1_000_000, 5_000_000, "1e6 2e6 3e6 4e6 5e6")]
    [InlineData(5, 5, "2 3 4 5 6 7 8")]
    [InlineData(0, 0, "-1.0 -0.5 0.0 0.5 1.0")]
    public void ChartAxis_Range_HasRoundTicks(double low, double high, string labels)
    {
        var axis = new ChartAxis(low, high, 100, 0, 5, toTicks: true);
        Assert.Equal(labels, string.Join(' ', axis.Ticks.Select(axis.Format)));
        Assert.InRange(axis.At(low), 0, 100);
        Assert.InRange(axis.At(high), 0, 100);
        Assert.Equal(100, axis.At(axis.Low), 1e-9);
        Assert.Equal(0, axis.At(axis.High), 1e-9);
    }

    [Fact]
    public void LineChart_FallingValues_FallOnThePicture()
    {
        var options = new LineChartOptions { Smoothing = null, Width = 400, Height = 300 };
        var chart = LineChart.Draw([.. Enumerable.Range(0, 50).Select(i => ((double)i, 50.0 - i))], options);
        Assert.Equal(new PixelSize(400, 300), chart.Size);
        var line = PixelColor.FromRgb(0x1F6FC2);
        (int X, int Y)[] places = [.. from y in Enumerable.Range(0, 300) from x in Enumerable.Range(0, 400)
            where chart.Row(y).Slice(3 * x, 3).SequenceEqual((ReadOnlySpan<byte>)[line.R, line.G, line.B]) select (x, y)];
        Assert.True(places.MinBy(place => place.X).Y < 60 && places.MaxBy(place => place.X).Y > 200);
    }

    [Fact]
    public void LineChart_OddInput_IsDrawn()
    {
        foreach (var points in new[] { [], [(1, double.NaN)], [(1, 1)], [(1, 1), (2, double.PositiveInfinity), (3, 2)], [.. Enumerable.Range(0, 100_000).Select(i => ((double)i, Math.Sin(i)))], new (double, double)[] { (5, 0), (5, 0) } })
            Assert.Equal(new PixelSize(960, 540), LineChart.Draw(points, new() { Title = "x" }).Size);
        Assert.Contains("Smoothing", Assert.Throws<InvalidOptionsException>(() => LineChart.Draw([], new() { Smoothing = 1 })).Message, StringComparison.Ordinal);
        Assert.Contains("Width", Assert.Throws<InvalidOptionsException>(() => LineChart.Draw([], new() { Width = 10 })).Message, StringComparison.Ordinal);
    }
}
