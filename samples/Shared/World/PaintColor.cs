using StableTune.Imaging;

namespace StableTune.Samples.World;

/// <summary>A colour with the word for it.</summary>
/// <param name="Name">As captions say it.</param>
/// <param name="Pixel">Its value.</param>
internal sealed record PaintColor(string Name, PixelColor Pixel)
{
    internal static IReadOnlyList<PaintColor> All { get; } =
    [
        Of("red", 0xD8302E), Of("green", 0x3AA648), Of("blue", 0x3062D8), Of("yellow", 0xF5D633), Of("white", 0xF4F4EE),
        Of("black", 0x1E1E24),
    ];

    internal static PaintColor Named(string name) => All.Single(color => color.Name == name);

    private static PaintColor Of(string name, int rgb) => new(name, PixelColor.FromRgb(rgb));
}
