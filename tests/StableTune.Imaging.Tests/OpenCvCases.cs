using System.Security.Cryptography;
using System.Text.Json;
using StableTune.Testing;

namespace StableTune.Imaging.Tests;

/// <summary>
/// tests/fixtures/imaging/opencv.json: what OpenCV made of drawn pictures, whole for small ones and as a hash for larger ones.
/// </summary>
internal static class OpenCvCases
{
    private static readonly Case[] s_cases =
        JsonSerializer.Deserialize<Case[]>(File.ReadAllBytes(Fixtures.Path("imaging", "opencv.json")), JsonSerializerOptions.Web)!;

    internal static IEnumerable<Case> Of(string method) => s_cases.Where(item => item.Method == method);

    /// <summary>One picture and what became of it.</summary>
    /// <param name="Method">bilinear, bicubic, area or canny.</param>
    /// <param name="From">Width, height and channels of the picture.</param>
    /// <param name="Seed">Of <see cref="Draw"/>.</param>
    /// <param name="Kind">Of <see cref="Draw"/>.</param>
    /// <param name="To">Width and height of the result.</param>
    /// <param name="Thresholds">Canny's, low and high.</param>
    /// <param name="Pixels">The result; null where there is a hash.</param>
    /// <param name="Sha256">The hash of its bytes in hexadecimal digits; null where the result is given.</param>
    internal sealed record Case(string Method, int[] From, uint Seed, int Kind, int[] To, double[]? Thresholds, byte[]? Pixels,
        string? Sha256)
    {
        internal PixelImage Picture => Draw(From[0], From[1], From[2], Seed, Kind);

        internal void AssertSame(PixelImage found)
        {
            var name = $"{Method} of {From[0]}x{From[1]} with {From[2]} channels (seed {Seed}, kind {Kind}) to {To[0]}x{To[1]}";
            Assert.Equal(new PixelSize(To[0], To[1]), found.Size);
            if (Pixels is null)
            {
                Assert.True(Sha256 == Convert.ToHexString(SHA256.HashData(found.Pixels)), name);
                return;
            }

            var at = Enumerable.Range(0, Pixels.Length).MaxBy(i => Math.Abs(Pixels[i] - found.Pixels[i]));
            Assert.True(Pixels[at] == found.Pixels[at],
                $"{name}: the largest difference is at byte {at}, {Pixels[at]} expected, {found.Pixels[at]} found");
        }
    }

    /// <summary>A picture by integers alone: 0 noise, 1 black and white noise, 2 slopes with a little noise.</summary>
    internal static PixelImage Draw(int width, int height, int channels, uint seed, int kind)
    {
        var image = new PixelImage(width, height, channels);
        var state = seed;
        for (var i = 0; i < image.Pixels.Length; i++)
        {
            state = (state * 1664525) + 1013904223;
            var noise = (int)(state >> 24);
            var (x, y) = (i / channels % width, i / channels / width);
            image.Pixels[i] = (byte)(kind == 0 ? noise : kind == 1 ? (noise < 128 ? 0 : 255)
                : (x * 5) + (y * 3) + (i % channels * 40) + (noise % 20));
        }

        return image;
    }
}
