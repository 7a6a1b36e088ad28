namespace StableTune.Testing;

/// <summary>How much the long tests do: some thousands of cases, or very many with tests/run.sh --all, which sets
/// STABLETUNE_ALL_TESTS.</summary>
public static class Exhaustive
{
    /// <summary>Whether the long variants run.</summary>
    public static bool IsOn { get; } = Environment.GetEnvironmentVariable("STABLETUNE_ALL_TESTS") == "1";

    /// <summary>The number of cases.</summary>
    public static int Runs(int normally, int exhaustively) => IsOn ? exhaustively : normally;
}
