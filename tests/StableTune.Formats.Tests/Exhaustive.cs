namespace StableTune.Formats.Tests;

/// <summary>How long the random tests run: some thousands of cases, or very many with tests/run.sh --all.</summary>
internal static class Exhaustive
{
    /// <summary>Whether the long variants run.</summary>
    public static bool IsOn { get; } = Environment.GetEnvironmentVariable("STABLETUNE_ALL_TESTS") == "1";

    /// <summary>The number of cases.</summary>
    public static int Runs(int normally, int exhaustively) => IsOn ? exhaustively : normally;
}
