using StableTune.Diffusion;

namespace StableTune.Training;

/// <summary>Sample pictures that several processes have drawn, as files that the first one writes.</summary>
internal static class SharedSamples
{
    /// <summary>Sends what this process has drawn to the others.</summary>
    /// <param name="processes">The processes; all of them call this.</param>
    /// <param name="drawn">The pictures with the numbers of their prompts.</param>
    /// <returns>The pictures of all processes in the order of the prompts: number of the prompt, seed, PNG file.</returns>
    public static IReadOnlyList<(int Index, long Seed, byte[] Png)> Gather(
        RunProcesses processes, IReadOnlyList<(int Index, GeneratedImage Picture)> drawn)
    {
        using var message = new MemoryStream();
        var writer = new BinaryWriter(message);
        writer.Write(drawn.Count);
        foreach (var (index, picture) in drawn)
        {
            var png = Png(picture);
            writer.Write(index);
            writer.Write(picture.Seed);
            writer.Write(png.Length);
            writer.Write(png);
        }

        // A stable sort: the pictures of one prompt stay in their order.
        return [.. processes.Exchange(message.ToArray()).SelectMany(Read).OrderBy(one => one.Index)];
    }

    private static List<(int Index, long Seed, byte[] Png)> Read(byte[] message)
    {
        var reader = new BinaryReader(new MemoryStream(message));
        return [.. Enumerable.Range(0, reader.ReadInt32()).Select(_ =>
            (reader.ReadInt32(), reader.ReadInt64(), reader.ReadBytes(reader.ReadInt32())))];
    }

    /// <summary>The file that the picture would be saved as, with its parameters.</summary>
    private static byte[] Png(GeneratedImage picture)
    {
        var file = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName() + ".png");
        try
        {
            picture.SavePng(file);
            return File.ReadAllBytes(file);
        }
        finally
        {
            File.Delete(file);
        }
    }
}
