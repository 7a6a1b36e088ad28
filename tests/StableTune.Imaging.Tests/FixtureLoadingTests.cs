using System.Text.Json;

namespace StableTune.Imaging.Tests;

/// <summary>Loading against Pillow 13 and libjpeg-turbo 3.1, as sd-scripts loads.</summary>
public sealed class FixtureLoadingTests
{
    public static IEnumerable<object[]> Good => ImageCases.Names("loading", Name, item => item.TryGetProperty("decoded_shape", out _));

    public static IEnumerable<object[]> Bad => ImageCases.Names("loading", Name, item => !item.TryGetProperty("decoded_shape", out _));

    [Fact]
    public void Cases_AreAllTested() =>
        Assert.Equal((38, 34, 4), (ImageCases.Json.GetProperty("loading").GetArrayLength(), Good.Count(), Bad.Count()));

    [Theory]
    [MemberData(nameof(Good))]
    public void Load_Fixture_GivesTheReferencePixels(string name)
    {
        var item = ImageCases.Find("loading", Name, name);
        var image = ImageCases.Load(name);
        Assert.Equal(item.Size("stored_size"), image.Size);

        var expected = ImageCases.Picture("decoded/" + name);
        // All are exact, lossy ones and CMYK too.
        ImageCases.AssertClose(expected, image.Crop(0, 0, expected.Width, expected.Height), largest: 0, mean: 0);
        for (var channel = 0; channel < 3; channel++)
            Assert.Equal(item.GetProperty("decoded_mean")[channel].GetDouble(), Mean(image, channel), 1e-9);
    }

    [Theory]
    [MemberData(nameof(Good))]
    public void ReadSize_Fixture_GivesStoredAndUprightSize(string name)
    {
        var item = ImageCases.Find("loading", Name, name);
        Assert.Equal(item.Size("header_size_exif_rotation_false"), ImageHeader.ReadSize(ImageCases.ImagePath(name), applyExif: false));
        Assert.Equal(item.Size("header_size_exif_rotation_true"), ImageHeader.ReadSize(ImageCases.ImagePath(name)));
    }

    [Theory]
    [MemberData(nameof(Bad))]
    public void Load_BrokenFixture_NamesFileAndFault(string name)
    {
        var path = ImageCases.ImagePath(name);
        var fault = name switch
        {
            "zero_byte.png" => "empty",
            "not_an_image.jpg" => "no PNG, JPEG, WebP, BMP, GIF, TIFF or AVIF file",
            "truncated.jpg" => "truncated",
            _ => "checksum",
        };
        var error = Assert.Throws<InvalidFileException>(() => ImageFile.Load(path));
        Assert.Equal(path, error.Path);
        Assert.Contains(fault, error.Fault, StringComparison.Ordinal);
        Assert.StartsWith(path, error.Message, StringComparison.Ordinal);
    }

    private static string Name(JsonElement item) => item.Text("image");

    private static double Mean(PixelImage image, int channel)
    {
        var sum = 0L;
        for (var i = channel; i < image.Pixels.Length; i += 3) sum += image.Pixels[i];
        return (double)sum / (image.Width * image.Height);
    }
}
