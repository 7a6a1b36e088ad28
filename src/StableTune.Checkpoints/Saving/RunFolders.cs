namespace StableTune.Checkpoints;

/// <summary>What a run puts into the folder of its result before the result is there: checkpoints, logs, samples.</summary>
internal static class RunFolders
{
    /// <summary>Whether a folder holds nothing, or such folders alone; they stay beside what is written.</summary>
    public static bool IsFree(string path) => !Directory.Exists(path) || Directory.EnumerateFileSystemEntries(path).All(entry =>
        Directory.Exists(entry) && Path.GetFileName(entry) is var name
        && (name is "logs" or "sample" or "samples" || name.StartsWith("checkpoint-", StringComparison.Ordinal)));
}
