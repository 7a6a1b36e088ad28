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
        Assert.Contains("CellPixels", Assert.Throws<InvalidOptionsException>(() =>
            ContactSheet.Draw([new("", [new(red)])], new() { CellPixels = 3 })).Message, StringComparison.Ordinal);
    }
}
