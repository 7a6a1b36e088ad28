using StableTune.Formats;

namespace StableTune.Tests;

/// <summary>Compares what runs have written, but for times, session and what follows from them.</summary>
internal static class SavedFiles
{
    private static readonly string[] s_mayDiffer =
        ["ss_training_started_at", "ss_training_finished_at", "ss_session_id", "modelspec.date", "ss_output_name", "modelspec.title"];

    /// <summary>Checks that two files, or folders of files, hold the same tensors bit for bit and say the same of themselves.</summary>
    public static void AssertSame(string expected, string actual, string told = "")
    {
        if (Directory.Exists(expected))
        {
            string[] Names(string folder) => [.. Directory.GetFiles(folder, "*", SearchOption.AllDirectories)
                .Select(file => Path.GetRelativePath(folder, file)).Order(StringComparer.Ordinal)];
            Assert.Equal(Names(expected), Names(actual));
            foreach (var name in Names(expected)) AssertSame(Path.Combine(expected, name), Path.Combine(actual, name), told);
        }
        else if (Path.GetExtension(expected) == ".safetensors") AssertSameTensors(expected, actual, told);
        else Assert.True(File.ReadAllBytes(expected).AsSpan().SequenceEqual(File.ReadAllBytes(actual)), $"{actual} differs: {told}");
    }

    private static void AssertSameTensors(string expected, string actual, string told)
    {
        using var one = SafetensorsFile.Open(expected);
        using var other = SafetensorsFile.Open(actual);
        Assert.Equal(one.Tensors.Select(tensor => tensor.Name), other.Tensors.Select(tensor => tensor.Name));
        foreach (var tensor in one.Tensors)
            Assert.True(one.Span(tensor.Name).SequenceEqual(other.Span(tensor.Name)), $"{tensor.Name} differs: {told}");
        // The hash of the legacy kind is that of a piece of the file, where the times lie.
        foreach (var (key, value) in one.Metadata.Where(entry => !s_mayDiffer.Contains(entry.Key) && entry.Key != "sshs_legacy_hash"
            && entry.Key != "modelspec.hash_sha256"))
            Assert.Equal((key, value), (key, other.Metadata.GetValueOrDefault(key)));
    }

    /// <summary>Checks that every file in a folder is complete: what is unfinished has another name.</summary>
    public static void AssertComplete(string folder)
    {
        foreach (var file in Directory.GetFiles(folder, "*", SearchOption.AllDirectories))
        {
            if (file.Contains(".partial", StringComparison.Ordinal) || Path.GetExtension(file) == ".tmp") continue;
            if (Path.GetExtension(file) == ".safetensors")
            {
                using var opened = SafetensorsFile.Open(file);
                if (opened.Metadata.TryGetValue("sshs_model_hash", out var hash)) Assert.Equal(hash, WeightHashes.OfTensors(file));
            }
            else if (Path.GetFileName(file) == "state.json") AssertCompleteState(file);
        }
    }

    private static void AssertCompleteState(string file)
    {
        using var state = System.Text.Json.JsonDocument.Parse(File.ReadAllText(file));
        foreach (var part in state.RootElement.GetProperty("files").EnumerateObject())
        {
            var bytes = File.ReadAllBytes(Path.Combine(Path.GetDirectoryName(file)!, part.Name));
            Assert.Equal(part.Value.GetProperty("sha256").GetString(),
                Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(bytes)));
        }
    }
}
