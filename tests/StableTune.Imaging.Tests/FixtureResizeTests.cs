using System.Globalization;
using System.Text.Json;

namespace StableTune.Imaging.Tests;

/// <summary>Resizing and cutting against OpenCV 4.10 and Pillow 13, as sd-scripts uses them.</summary>
public sealed class FixtureResizeTests
{
    public static IEnumerable<object[]> Cases =>
        ImageCases.Names("cases", item => item.Text("id"), item => item.TryGetProperty("tensor", out _)
        && item.Size("bucket_reso") is { Width: > 0, Height: > 0 } && item.GetProperty("resized_size").ValueKind == JsonValueKind.Array);

    public static IEnumerable<object[]> Interpolations => ImageCases.Names("interpolation", item => item.Text("tensor"));

    public static IEnumerable<object[]> AlphaMasks => ImageCases.Names("alpha_mask", AlphaName);

    public static IEnumerable<object[]> Faces => ImageCases.Names("face_crop", item => item.Text("tensor"));

    public static IEnumerable<object[]> SdTrainer =>
        ImageCases.Names("sd_trainer", item => item.Text("image"), item => ImageCases.Has("sd_trainer/" + item.Text("image")));

    /// <summary>Two cases cannot be placed without enlarging, and of two of sd-trainer's only the sizes were recorded: the tests of data
    /// sets have all of them.</summary>
    [Fact]
    public void Cases_AreAllTested() =>
        Assert.Equal((62, 40, 10, 4, 2), (Cases.Count(), Interpolations.Count(), AlphaMasks.Count(), Faces.Count(), SdTrainer.Count()));

    [Theory]
    [MemberData(nameof(Cases))]
    public void Resize_BucketCase_GivesTheReferencePixels(string id)
    {
        var item = ImageCases.Find("cases", x => x.Text("id"), id);
        var (image, resized) = (ImageCases.Load(item.Text("image")), item.Size("resized_size"));
        var interpolation = item.Text("interpolation");
        if (interpolation == "none") Assert.Equal(resized, image.Size);
        else Assert.Equal(interpolation, Interpolation.For(image.Size, resized).Name);
        var cut = ToBucket(image, resized, item.Size("bucket_reso"));
        ImageCases.AssertClose(ImageCases.Picture(item.Text("tensor")), cut, largest: 0, mean: 0);
    }

    [Theory]
    [MemberData(nameof(Interpolations))]
    public void Resize_EveryName_GivesTheReferencePixels(string tensor)
    {
        var item = ImageCases.Find("interpolation", x => x.Text("tensor"), tensor);
        var size = item.Size("resized_size");
        var name = item.GetProperty("interpolation").GetString();
        var image = ImageCases.Load(item.Text("image"));
        var chosen = name is null ? Interpolation.For(image.Size, size) : Interpolation.Parse(name);
        var resized = ImageResize.Resize(image, size.Width, size.Height, name is null ? null : chosen);
        ImageCases.AssertClose(ImageCases.Picture(tensor), resized, 0, 0);
    }

    [Theory]
    [MemberData(nameof(AlphaMasks))]
    public void Resize_WithAlpha_GivesTheReferenceColorsAndMask(string name)
    {
        var item = ImageCases.Find("alpha_mask", AlphaName, name);
        var image = ToBucket(ImageCases.Load(item.Text("image"), keepAlpha: true), item.Size("resized_size"), item.Size("bucket_reso"));
        ImageCases.AssertClose(ImageCases.Picture(item.GetProperty("tensors")[0].GetString()!), image.WithoutAlpha(), 0, 0);

        var (expected, actual) = (ImageCases.Floats(item.GetProperty("tensors")[1].GetString()!), new float[image.Width * image.Height]);
        image.ExtractAlpha(actual);
        Assert.Equal(expected, actual);
    }

    [Theory]
    [MemberData(nameof(Faces))]
    public void Resize_FaceCrop_GivesTheReferencePixels(string tensor)
    {
        var item = ImageCases.Find("face_crop", x => x.Text("tensor"), tensor);
        var (image, width, height) = (ImageCases.Load(item.Text("image")), item.GetProperty("width").GetInt32(),
            item.GetProperty("height").GetInt32());
        var face = item.GetProperty("face").EnumerateArray().Select(value => value.GetInt32()).ToArray();
        var range = item.GetProperty("face_crop_aug_range")[0].GetDouble();
        // With equal bounds of the range nothing is left to chance.
        var scale = Math.Max((double)height / image.Height, (double)width / image.Width);
        scale = Math.Min(1, Math.Max(scale, Math.Min(width, height) / (Math.Max(face[2], face[3]) * range)));
        var size = new PixelSize((int)((image.Width * scale) + 0.5), (int)((image.Height * scale) + 0.5));
        var (x, y) = ((int)((face[0] * scale) + 0.5), (int)((face[1] * scale) + 0.5));
        var resized = ImageResize.Resize(image, size.Width, size.Height);
        var cut = resized.Crop(Math.Clamp(x - (width / 2), 0, size.Width - width), Math.Clamp(y - (height / 2), 0, size.Height - height),
            width, height);
        ImageCases.AssertClose(ImageCases.Picture(tensor), cut, 0, 0);
    }

    [Theory]
    [MemberData(nameof(SdTrainer))]
    public void Resize_SdTrainerCase_GivesTheReferencePixels(string name)
    {
        var (expected, image) = (ImageCases.Picture("sd_trainer/" + name), ImageCases.Load(name));
        var scale = Math.Max((double)expected.Width / image.Width, (double)expected.Height / image.Height);
        var resized = ImageResize.Resize(image, (int)(image.Width * scale), (int)(image.Height * scale), Interpolation.PillowBicubic);
        // Pillow rounds both edges of a crop box to even before it cuts.
        var (x, y) = ((resized.Width - expected.Width) / 2.0, (resized.Height - expected.Height) / 2.0);
        var cut = resized.Crop((int)Math.Round(x), (int)Math.Round(y), expected.Width, expected.Height);
        ImageCases.AssertClose(expected, cut, 0, 0);
    }

    [Fact]
    public void ToFloats_AllValues_AreTheReferenceBits()
    {
        var image = new PixelImage(256, 1, 3, [.. Enumerable.Range(0, 256).SelectMany(value => Enumerable.Repeat((byte)value, 3))]);
        var actual = new float[3 * 256];
        image.ToFloats(actual);
        Assert.Equal(ImageCases.Floats("normalized/all_values"), actual);
    }

    [Fact]
    public void ToFloats_Picture_IsTheReferenceInChannelsRowsColumns()
    {
        var item = ImageCases.Find("cases", x => x.Text("id"), "png_rgb.png/64");
        var cut = ToBucket(ImageCases.Load("png_rgb.png"), item.Size("resized_size"), item.Size("bucket_reso"));
        var (expected, actual) = (ImageCases.Floats("normalized/png_rgb.png/64"), new float[3 * cut.Width * cut.Height]);
        cut.ToFloats(actual);
        Assert.Equal(expected, actual);
    }

    private static PixelImage ToBucket(PixelImage image, PixelSize resized, PixelSize bucket)
        => ImageResize.Resize(image, resized.Width, resized.Height).CenterCrop(bucket.Width, bucket.Height);

    private static string AlphaName(JsonElement item) =>
        string.Create(CultureInfo.InvariantCulture, $"{item.Text("image")}/{item.Text("target")}");
}
