namespace StableTune.PublicApi.Tests;

/// <summary>The text that is checked in for one assembly.</summary>
internal static class ApiFile
{
    public const string AcceptVariable = "STABLETUNE_ACCEPT_API";

    /// <summary>Compares, or rewrites the file when the environment says so.</summary>
    /// <returns>Null when both agree; else what differs and how to accept it.</returns>
    public static string? Compare(string path, IReadOnlyList<string> actual, bool accept)
    {
        if (accept)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, string.Concat(actual.Select(line => line + "\n")));
            return null;
        }

        var expected = File.Exists(path) ? File.ReadAllLines(path) : [];
        var (removed, added) = (expected.Except(actual).ToArray(), actual.Except(expected).ToArray());
        if (removed.Length + added.Length == 0 && expected.SequenceEqual(actual)) return null;
        var lines = removed.Select(line => "- " + line).Concat(added.Select(line => "+ " + line)).DefaultIfEmpty("(the same lines in another order)");
        return $"""
            The public API differs from {path}:
            {string.Join('\n', lines)}
            If this is what you want, accept it and commit the file:
            {AcceptVariable}=1 dotnet test tests/StableTune.PublicApi.Tests
            """;
    }
}
