using System.Diagnostics;

namespace StableTune.FullSize;

/// <summary>Reads a file once into memory that is reused: the disk's or the page cache's speed.</summary>
internal static class ReadBytes
{
    public static void Run(string folder)
    {
        var path = Path.Combine(folder, "unet", "diffusion_pytorch_model.safetensors");
        var clock = Stopwatch.StartNew();
        using var file = File.OpenHandle(path);
        var buffer = new byte[8 << 20];
        long total = 0;
        for (int read; (read = RandomAccess.Read(file, buffer, total)) > 0;) total += read;
        Console.WriteLine($"read {total / 1e9:F2} GB in {clock.Elapsed.TotalSeconds:F2} s");
    }
}
