using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;
using StableTune.Testing;

namespace StableTune.Imaging.Tests;

/// <summary>tests/fixtures/data: image_cases.json and its tensors, and the pictures they were made from.</summary>
internal static class ImageCases
{
    private static readonly byte[] s_tensors = File.ReadAllBytes(Fixtures.Path("data", "image_cases.safetensors"));
    private static readonly int s_data = 8 + (int)BinaryPrimitives.ReadInt64LittleEndian(s_tensors);
    private static readonly JsonElement s_header = JsonDocument.Parse(s_tensors.AsMemory(8, s_data - 8)).RootElement;

    /// <summary>The root of image_cases.json.</summary>
    internal static JsonElement Json { get; } =
        JsonDocument.Parse(File.ReadAllBytes(Fixtures.Path("data", "image_cases.json"))).RootElement;

    /// <summary>A section of the JSON as theory data, named for the test output.</summary>
    internal static IEnumerable<object[]> Names(string section, Func<JsonElement, string> name, Func<JsonElement, bool>? accepts = null)
        => from item in Json.GetProperty(section).EnumerateArray() where accepts is null
            || accepts(item) select new object[] { name(item) };

    internal static JsonElement Find(string section, Func<JsonElement, string> name, string wanted)
        => Json.GetProperty(section).EnumerateArray().Single(item => name(item) == wanted);

    internal static string Text(this JsonElement item, string property) => item.GetProperty(property).GetString()!;

    internal static PixelSize Size(this JsonElement item, string property)
        => new(item.GetProperty(property)[0].GetInt32(), item.GetProperty(property)[1].GetInt32());

    internal static string ImagePath(string name) => Fixtures.Path("data", "images", name);

    /// <summary>Loads as the reference does: EXIF orientation is ignored, grey of 16 bits clipped.</summary>
    internal static PixelImage Load(string name, bool keepAlpha = false)
        => ImageFile.Load(ImagePath(name), new() { ApplyExifOrientation = false, ClipSixteenBitGray = true, KeepAlpha = keepAlpha });

    /// <summary>A U8 tensor [H, W, 3] as a picture.</summary>
    internal static PixelImage Picture(string name)
    {
        var shape = s_header.GetProperty(name).GetProperty("shape");
        return new(shape[1].GetInt32(), shape[0].GetInt32(), shape[2].GetInt32(), Bytes(name).ToArray());
    }

    internal static bool Has(string name) => s_header.TryGetProperty(name, out _);

    internal static float[] Floats(string name) => MemoryMarshal.Cast<byte, float>(Bytes(name)).ToArray();

    private static ReadOnlySpan<byte> Bytes(string name)
    {
        var offsets = s_header.GetProperty(name).GetProperty("data_offsets");
        return s_tensors.AsSpan(s_data + offsets[0].GetInt32(), offsets[1].GetInt32() - offsets[0].GetInt32());
    }

    /// <summary>Fails with the largest difference, its place and both values.</summary>
    internal static void AssertClose(PixelImage expected, PixelImage actual, int largest, double mean)
    {
        Assert.Equal((expected.Size, expected.Channels), (actual.Size, actual.Channels));
        var (worst, at, sum) = (0, 0, 0L);
        for (var i = 0; i < expected.Pixels.Length; i++)
        {
            var difference = Math.Abs(expected.Pixels[i] - actual.Pixels[i]);
            sum += difference;
            if (difference > worst) (worst, at) = (difference, i);
        }

        var average = (double)sum / expected.Pixels.Length;
        Assert.True(worst <= largest && average <= mean,
            $"largest difference {worst} (allowed {largest}) at pixel ({at / 3 % expected.Width}, {at / 3 / expected.Width}) channel "
                + $"{at % 3}: "
            + $"expected {expected.Pixels[at]}, got {actual.Pixels[at]}; mean difference {average:0.000} (allowed {mean})");
    }
}
