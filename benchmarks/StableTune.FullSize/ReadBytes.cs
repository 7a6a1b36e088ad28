using System.Diagnostics;

namespace StableTune.FullSize;

/// <summary>
/// What loading is compared with: the weights' bytes read once into a buffer that is used again (the speed of disk or page cache), and into
/// memory that the process has not touched before (also the system's speed in handing out memory, which in a virtual machine can be the
/// larger part).
/// </summary>
internal static class ReadBytes
{
    private const int Chunk = 8 << 20;

    public static void Run(string folder)
    {
        using var file = File.OpenHandle(Path.Combine(folder, "unet", "diffusion_pytorch_model.safetensors"));
        var length = RandomAccess.GetLength(file);
        var buffer = new byte[Chunk];
        Report("into one buffer", length, () =>
        {
            for (long at = 0; at < length;) at += RandomAccess.Read(file, buffer, at);
        });

        using var scope = NewDisposeScope();
        Report("into fresh memory, by all processors", length, () =>
        {
            Tensor[] parts = [.. Enumerable.Range(0, (int)((length + Chunk - 1) / Chunk))
                .Select(i => empty(Math.Min(Chunk, length - (long)i * Chunk), dtype: ScalarType.Byte))];
            Parallel.For(0, parts.Length, i =>
            {
                var bytes = parts[i].bytes;
                for (var done = 0; done < bytes.Length;) done += RandomAccess.Read(file, bytes[done..], (long)i * Chunk + done);
            });
        });
    }

    private static void Report(string how, long bytes, Action read)
    {
        var clock = Stopwatch.StartNew();
        read();
        Console.WriteLine($"read {bytes / 1e9:F2} GB {how} in {clock.Elapsed.TotalSeconds:F2} s");
    }
}
