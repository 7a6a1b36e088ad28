using StableTune.Testing;

namespace StableTune.PublicApi.Tests;

/// <summary>Shows that the text tells what matters to a caller, and that a difference is told.</summary>
public sealed class PublicSurfaceTests
{
    [Fact]
    public void Record_TellsPropertiesAndNotWhatTheCompilerWrites() => AssertLines(typeof(Shape),
        "Shape (sealed record : Thing)",
        "Shape.Shape(int Width, string? Name = null)",
        "Shape.Name -> string? { get; init; }",
        "Shape.Width -> int { get; init; }",
        "Shape.Parts -> IReadOnlyList<string?> { get; init; } [required]",
        "Shape.Area() -> double? [override]");

    [Fact]
    public void AbstractClass_TellsProtectedMembersAndNoPrivateOnes() => AssertLines(typeof(Thing),
        "Thing (abstract record)",
        "Thing.Thing() [protected]",
        "Thing.Area() -> double? [abstract]",
        "Thing.ToString() -> string [override]",
        "Thing.Weight -> float { get; protected set; } [virtual]");

    [Fact]
    public void GenericMembers_TellNullabilityTuplesDefaultsAndConstraints() => AssertLines(typeof(Tool),
        "Tool (static class)",
        "Tool.Limit -> int = 3 [const]",
        "Tool.First<T>(this IEnumerable<T> items, Func<T, bool>? where = null) -> T? where T : class, new() [static]",
        "Tool.Pairs((string Key, int[]? Values) pair, params string[] rest) -> Dictionary<string, (int A, long? B)>? [static]",
        "Tool.Split(ref int a, out string? b, in double c, DayOfWeek day = DayOfWeek.Friday, float scale = 0.5, CancellationToken token = default) -> bool [static]");

    [Fact]
    public void Enum_TellsValues() => AssertLines(typeof(Level), "Level (enum : byte)", "Level.High = 7", "Level.Low = 0");

    [Fact]
    public void Delegate_TellsItsSignature() => AssertLines(typeof(Watch), "Watch (delegate (string? name) -> void)");

    [Fact]
    public void Compare_WithAddedAndRemovedLines_PrintsBothAndTheRemedy()
    {
        using var folder = new TemporaryFolder();
        var path = Path.Combine(folder.Path, "api", "X.txt");
        Assert.Null(ApiFile.Compare(path, ["a", "b"], accept: true));
        Assert.Null(ApiFile.Compare(path, ["a", "b"], accept: false));

        var problem = ApiFile.Compare(path, ["b", "c"], accept: false);

        Assert.Contains("\n- a\n+ c\n", problem?.ReplaceLineEndings("\n"), StringComparison.Ordinal);
        Assert.Contains("STABLETUNE_ACCEPT_API=1", problem, StringComparison.Ordinal);
    }

    [Fact]
    public void Compare_WithoutFile_TellsEveryLine()
    {
        using var folder = new TemporaryFolder();
        Assert.Contains("+ a", ApiFile.Compare(Path.Combine(folder.Path, "X.txt"), ["a"], accept: false), StringComparison.Ordinal);
    }

    private static void AssertLines(Type type, params string[] expected) => Assert.Equal(
        expected.Select(line => $"{type.FullName![..^type.Name.Length].Replace('+', '.')}{line}").Order(StringComparer.Ordinal), PublicSurface.Lines(type).Order(StringComparer.Ordinal));

#pragma warning disable CA1034, CA1822 // The samples are what the text is about.
    public enum Level : byte { Low, High = 7 }

    public delegate void Watch(string? name);

    public abstract record Thing
    {
        private int Secret => 1;

        public virtual float Weight { get; protected set; }

        public abstract double? Area();

        public override string ToString() => $"{Secret}";
    }

    public sealed record Shape(int Width, string? Name = null) : Thing
    {
        public required IReadOnlyList<string?> Parts { get; init; }

        public override double? Area() => null;
    }
#pragma warning restore CA1034, CA1822
}

internal static class Tool
{
    public const int Limit = 3;

    public static T? First<T>(this IEnumerable<T> items, Func<T, bool>? where = null) where T : class, new() => items.FirstOrDefault(where ?? (_ => true));

    public static Dictionary<string, (int A, long? B)>? Pairs((string Key, int[]? Values) pair, params string[] rest) => null;

    public static bool Split(
        ref int a, out string? b, in double c, DayOfWeek day = DayOfWeek.Friday, float scale = 0.5f, CancellationToken token = default)
    {
        b = null;
        return a > c;
    }
}
