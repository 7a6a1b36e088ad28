using StableTune.Imaging;

namespace StableTune.Loading;

/// <summary>Pictures that weigh on a decoder as photographs do: soft gradients, edges, texture and grain.</summary>
internal static class Photographs
{
    private const int Quality = 90, Captions = 100;

    /// <summary>Cameras' and crops' shapes of about two megapixels, upright and lying.</summary>
    private static readonly PixelSize[] s_sizes = [new(1632, 1224), new(1224, 1632), new(1728, 1152), new(1920, 1080), new(1448, 1448),
        new(1152, 1728)];

    public static void Write(string folder, int count)
    {
        Directory.CreateDirectory(folder);
        Parallel.For(0, count, new ParallelOptions { MaxDegreeOfParallelism = 2 }, i =>
        {
            ImageFile.SaveJpeg(Path.Combine(folder, $"photo_{i:D5}.jpg"), Draw(s_sizes[i % s_sizes.Length], i), Quality);
            Caption(folder, $"photo_{i:D5}", i);
        });
        var bytes = new DirectoryInfo(folder).EnumerateFiles("*.jpg").Sum(file => file.Length);
        Console.WriteLine($"{count} photographs, {bytes / 1024 / count} KiB each");
    }

    /// <summary>Only the first 4 KiB of each file are there: nobody who reads headers asks for more.</summary>
    public static void WriteHeaders(string folder, int count)
    {
        Directory.CreateDirectory(folder);
        byte[][] starts = [.. s_sizes.Select((size, i) =>
            ImageFile.EncodeJpeg(new Canvas(size.Width, size.Height, PixelColor.FromRgb(0x203040 * i)).Image, Quality)[..4096])];
        for (var i = 0; i < count; i++)
        {
            File.WriteAllBytes(Path.Combine(folder, $"photo_{i:D5}.jpg"), starts[i * 7 % starts.Length]);
            Caption(folder, $"photo_{i:D5}", i);
        }
    }

    private static void Caption(string folder, string name, int i) =>
        File.WriteAllText(Path.Combine(folder, name + ".txt"),
            $"1girl, solo, tag {i % Captions}, outdoors, blue sky, tree, long hair, looking at viewer");

    private static PixelImage Draw(PixelSize size, int seed)
    {
        var random = new Random(seed);
        PixelColor Color() => PixelColor.FromRgb(random.Next(1 << 24));
        var canvas = new Canvas(size.Width, size.Height, Color());
        for (var i = 0; i < 60; i++)
            canvas.FillEllipse(random.Next(size.Width), random.Next(size.Height), 20 + random.Next(200), 20 + random.Next(200), Color(),
                random.Next(180));
        var (pixels, slope, texture) = (canvas.Image.Pixels, random.Next(40, 120), random.Next(3, 9));
        var waves = new int[256];
        for (var i = 0; i < waves.Length; i++) waves[i] = (int)(12 * Math.Sin(i * texture * Math.PI / 128));
        var state = (uint)(seed * 2654435761) | 1;
        for (int y = 0, at = 0; y < size.Height; y++)
            for (var x = 0; x < size.Width; x++)
            {
                // The grain is the sum of two uniform numbers, the same for all three colours but for a little.
                state = (state * 1664525) + 1013904223;
                var light = (slope * y / size.Height) - (slope / 2) + waves[(x + (y / 2)) & 255]
                    + (int)((state >> 28) + ((state >> 24) & 15)) - 15;
                for (var c = 0; c < 3; c++, at++) pixels[at] = (byte)Math.Clamp(
                    pixels[at] + light + (int)((state >> (8 + (4 * c))) & 7) - 4, 0, 255);
            }

        return canvas.Image;
    }
}
