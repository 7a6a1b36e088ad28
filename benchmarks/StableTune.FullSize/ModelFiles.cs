using System.Diagnostics;
using StableTune.Checkpoints;
using StableTune.Formats;
using StableTune.Hub;
using StableTune.Models;

namespace StableTune.FullSize;

/// <summary>
/// Loading, saving and converting whole models, each against reading or writing the same bytes once in the same process: what the disk,
/// the page cache and the
/// machine do at the moment is in both, so the ratio is what counts.
/// </summary>
internal static class ModelFiles
{
    private const int Chunk = 8 << 20;

    public static void Make(string model, string folder, TensorDType type)
    {
        switch (model)
        {
            case "sd15": RandomModel.WriteSd15(folder, type); break;
            case "sdxl": RandomModel.WriteSdxl(folder, type); break;
            case "small-sd15" or "small-sdxl": RandomModel.WriteSmall(folder, model == "small-sdxl", type); break;
            default: throw new ArgumentException($"There is no model '{model}': use sd15, sdxl, small-sd15 or small-sdxl.", nameof(model));
        }
    }

    /// <summary>Loads in the stored types: nothing is converted.</summary>
    public static void Load(string path)
    {
        StartEngine();
        var (bytes, read) = Timed(() => ReadOnce(path));
        var (_, fresh) = Timed(() => ReadIntoFreshMemory(path));
        var before = ProcessFigures.ResidentMiB;
        var (model, load) = Timed(() => LoadModel(path));
        using (model)
        {
            Report("load", model.Details, bytes, load, ("reading", read));
            Console.WriteLine($"    reading into memory that the process has not used: {fresh:F2} s, ratio {load / fresh:F2}");
            Console.WriteLine(
                $"    resident before {before:F0} MiB, loaded {ProcessFigures.ResidentMiB:F0} MiB, peak "
                    + $"{ProcessFigures.PeakGiB * 1024:F0} MiB, {model.Details?.Path}");
        }
    }

    /// <summary>Saves in the types in memory, which are the stored ones.</summary>
    public static void Save(string path, string destination, ModelFormat format)
    {
        using var model = LoadModel(path);
        var loaded = ProcessFigures.PeakGiB;
        // What was written before is on the disk, not waiting for it.
        var (bytes, write) = Timed(() => WriteOnce(destination + ".baseline", Length(path)));
        var (saved, save) = Timed(() => ModelSaver.Save(model, destination, new ModelSaveOptions { Format = format }));
        Report($"save as {format}", model.Details, bytes, save, ("writing", write));
        Console.WriteLine(
            $"    peak with the model loaded {loaded * 1024:F0} MiB, after saving {ProcessFigures.PeakGiB * 1024:F0} MiB, wrote "
                + $"{saved.Files.Sum(file => new FileInfo(file).Length) / 1e9:F3} GB");
    }

    /// <summary>Converts from file to file in the stored types.</summary>
    public static void Convert(string path, string destination, ModelFormat format)
    {
        StartEngine();
        var (bytes, read) = Timed(() => ReadOnce(path));
        var (_, write) = Timed(() => WriteOnce(destination + ".baseline", bytes));
        var before = ProcessFigures.PeakGiB;
        var (saved, convert) = Timed(() => ModelConverter.Convert(path, destination, new ModelSaveOptions { Format = format }));
        Report($"convert to {format}", null, bytes, convert, ("reading and writing", read + write));
        Console.WriteLine(
            $"    peak before {before * 1024:F0} MiB, after {ProcessFigures.PeakGiB * 1024:F0} MiB, wrote "
                + $"{saved.Files.Sum(file => new FileInfo(file).Length) / 1e9:F3} GB");
    }

    // Loading libtorch takes a second or two, once in a process, whatever is done then.
    private static void StartEngine() => zeros(1).Dispose();

    private static StableDiffusionModel LoadModel(string path) => ModelLoader.Load(path, new ModelLoadOptions { KeepStoredTypes = true });

    private static void Report(string what, ModelDetails? details, long bytes, double seconds, (string Name, double Seconds) baseline) =>
        Console.WriteLine(
        $"{what}: {seconds:F2} s for {bytes / 1e9:F3} GB, {baseline.Name} once {baseline.Seconds:F2} s, ratio "
            + $"{seconds / baseline.Seconds:F2}{(details is null ? "" : $"; {details.Format}")}");

    private static (T Result, double Seconds) Timed<T>(Func<T> run)
    {
        var clock = Stopwatch.StartNew();
        var result = run();
        return (result, clock.Elapsed.TotalSeconds);
    }

    /// <summary>All files of a model that hold weights.</summary>
    private static string[] Weights(string path) => File.Exists(path) ? [path]
        : [.. Directory.EnumerateFiles(path, "*", SearchOption.AllDirectories)
            .Where(file => Path.GetExtension(file) is ".safetensors" or ".bin")];

    private static long Length(string path) => Weights(path).Sum(file => new FileInfo(file).Length);

    private static long ReadOnce(string path)
    {
        var (buffer, total) = (new byte[Chunk], 0L);
        foreach (var name in Weights(path))
        {
            using var file = File.OpenHandle(name);
            for (long at = 0; RandomAccess.Read(file, buffer, at) is > 0 and var read; at += read) total += read;
        }

        return total;
    }

    /// <summary>The same into fresh memory, by all processors, which is what loading has to do at the least; the memory is given
    /// back.</summary>
    private static long ReadIntoFreshMemory(string path)
    {
        using var scope = NewDisposeScope();
        var pieces = new List<(string File, long At, Tensor Memory)>();
        foreach (var name in Weights(path))
            for (long at = 0, length = new FileInfo(name).Length; at < length; at += Chunk)
                pieces.Add((name, at, empty(Math.Min(Chunk, length - at), dtype: ScalarType.Byte)));
        Parallel.ForEach(pieces, piece =>
        {
            using var file = File.OpenHandle(piece.File);
            var bytes = piece.Memory.bytes;
            for (var done = 0; done < bytes.Length;) done += RandomAccess.Read(file, bytes[done..], piece.At + done);
        });
        return pieces.Count;
    }

    /// <summary>Writes as many bytes from one buffer and flushes them to the disk, as saving does; the file is removed.</summary>
    private static long WriteOnce(string path, long length)
    {
        var buffer = new byte[Chunk];
        Random.Shared.NextBytes(buffer);
        using (var file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.None, 1, FileOptions.None))
        {
            for (var left = length; left > 0; left -= buffer.Length) file.Write(buffer, 0, (int)Math.Min(left, buffer.Length));
            file.Flush(flushToDisk: true);
        }

        File.Delete(path);
        return length;
    }
}
