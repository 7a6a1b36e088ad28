using StableTune.Formats;
using StableTune.Tensors;

namespace StableTune.Checkpoints;

/// <summary>Names the tensors of files that hold NaN or infinite numbers.</summary>
internal static class NumberFaults
{
    /// <summary>How many are named; the others are counted.</summary>
    private const int MostNamed = 10;

    private const double Megabyte = 1e6;

    /// <summary>A sentence for each tensor.</summary>
    public static IReadOnlyList<string> Of(IReadOnlyList<string> files, InspectOptions options, CancellationToken cancellationToken)
    {
        var total = files.Sum(file => new FileInfo(file).Length);
        var (done, faults) = (0L, new List<string>());
        foreach (var path in files)
        {
            using var file = TensorFile.Open(path);
            foreach (var info in file.Tensors.OrderBy(info => info.Begin))
            {
                if (FiniteNumbers.Fault(file, info, cancellationToken) is { } fault) faults.Add($"'{info.Name}' is broken: {fault}.");
                done += info.ByteCount;
                if (!options.Hashes) Report(options.Progress, done, total);
            }
        }

        return faults.Count <= MostNamed ? faults : [.. faults.Take(MostNamed), $"{faults.Count - MostNamed} more tensors are broken too."];
    }

    private static void Report(IProgress<WorkProgress>? receiver, long done, long total) => receiver?.Report(new WorkProgress
    {
        Stage = "checking", Done = (int)Math.Round(done / Megabyte), Total = (int)Math.Round(total / Megabyte),
    });
}
