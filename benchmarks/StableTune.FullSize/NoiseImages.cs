using StableTune.Imaging;

namespace StableTune.FullSize;

/// <summary>Images to train with, whose content does not matter.</summary>
internal static class NoiseImages
{
    /// <summary>Writes four images of noise with one caption, unless they are there.</summary>
    /// <param name="work">The folder above theirs.</param>
    /// <param name="side">Width and height in pixels.</param>
    /// <returns>Their folder.</returns>
    internal static string Write(string work, int side)
    {
        var folder = Path.Combine(work, $"1_frog {side}");
        if (Directory.Exists(folder)) return folder;
        Directory.CreateDirectory(folder);
        var random = new Random(1);
        for (var i = 0; i < 4; i++)
        {
            var pixels = new byte[side * side * 3];
            random.NextBytes(pixels);
            ImageFile.SavePng(Path.Combine(folder, $"{i}.png"), new PixelImage(side, side, 3, pixels));
        }

        return folder;
    }
}
