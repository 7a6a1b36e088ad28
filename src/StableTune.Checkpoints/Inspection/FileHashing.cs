using StableTune.Formats;

namespace StableTune.Checkpoints;

/// <summary>Computes the hashes of the files of an inspection, if they are asked for.</summary>
internal static class FileHashing
{
    private const string Specified = ModelSpecification.KeyPrefix + "hash_sha256";

    private const double Megabyte = 1e6;

    /// <summary>The files with their sizes and hashes.</summary>
    public static IReadOnlyList<InspectedFile> Run(
        IReadOnlyList<string> files, ContentKind kind, InspectOptions options, CancellationToken cancellationToken)
    {
        var lengths = files.Select(file => new FileInfo(file).Length).ToArray();
        if (!options.Hashes) return [.. files.Zip(lengths, (file, length) => new InspectedFile(file, length, null, []))];
        var (total, before) = (lengths.Sum(), 0L);
        var inspected = new List<InspectedFile>();
        foreach (var (file, length) in files.Zip(lengths))
        {
            var progress = options.Progress is { } receiver ? new Passed(part => Report(receiver, before + part * length, total)) : null;
            var hashes = WeightHashes.OfFile(file, progress, cancellationToken);
            inspected.Add(new InspectedFile(file, length, hashes, Carried(file, kind, cancellationToken)));
            before += length;
        }

        return inspected;
    }

    private static CarriedHash[] Carried(string path, ContentKind kind, CancellationToken cancellationToken)
    {
        using var file = TensorFile.Open(path);
        if (file is not SafetensorsFile) return [];
        var expected = kind is ContentKind.Adapter or ContentKind.Embedding;
        if (!expected && !file.Metadata.Keys.Any(key => key is "sshs_model_hash" or "sshs_legacy_hash" or Specified)) return [];
        var hashes = WeightHashes.Recompute(file, cancellationToken);
        List<CarriedHash> carried =
        [
            new("sshs_model_hash", file.Metadata.GetValueOrDefault("sshs_model_hash"), hashes.Model),
            new("sshs_legacy_hash", file.Metadata.GetValueOrDefault("sshs_legacy_hash"), hashes.Legacy),
        ];
        if (file.Metadata.TryGetValue(Specified, out var stored)) carried.Add(new CarriedHash(Specified, stored, "0x" + hashes.Model));
        return [.. carried];
    }

    private static void Report(IProgress<WorkProgress> receiver, double done, long total) => receiver.Report(new WorkProgress
    {
        Stage = "hashing", Done = (int)Math.Round(done / Megabyte), Total = (int)Math.Round(total / Megabyte),
    });

    // Progress<T> would report on a thread pool thread, later.
    private sealed class Passed(Action<double> report) : IProgress<double>
    {
        public void Report(double value) => report(value);
    }
}
