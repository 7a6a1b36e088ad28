namespace StableTune.Tests;

public sealed class OptionsTests
{
    private sealed record Sample : OptionsBase
    {
        public int Rank { get; init; }

        public string? Path { get; init; }

        public override IEnumerable<OptionProblem> Validate()
        {
            if (Rank < 1) yield return Problem(Rank, "the rank must be at least 1", "4 to 16 is customary");
            if (Path is null) yield return Problem(Path, "a base model is required", "call WithModel(path)");
        }
    }

    [Fact]
    public void Problem_NamesOptionValueAndRemedy() => Assert.Equal(
        ["Sample.Rank is 0: the rank must be at least 1. 4 to 16 is customary.",
            "Sample.Path is not set: a base model is required. Call WithModel(path)."],
        new Sample().Validate().Select(p => p.ToString()));

    [Fact]
    public void ThrowIfAny_ListsEveryProblem()
    {
        var error = Assert.Throws<InvalidOptionsException>(() => InvalidOptionsException.ThrowIfAny(new Sample().Validate()));
        Assert.Equal(2, error.Problems.Count);
        Assert.StartsWith("2 option(s) need attention:", error.Message);
        InvalidOptionsException.ThrowIfAny(new Sample { Rank = 1, Path = "a" }.Validate());
    }

    [Fact]
    public void NamedSeeds_DifferByPurposeIndexAndSeed_AndStayTheSame()
    {
        var seeds = new NamedSeeds(42);
        Assert.Equal(seeds.For("noise"), new NamedSeeds(42).For("noise"));
        var all = from seed in new long[] { 0, 1, 42 } from name in new[] { "noise", "data" } from epoch in new long[] { 0, 1,
            2 } select new NamedSeeds(seed).For(name, epoch);
        Assert.Equal(18, all.Distinct().Count());
        // Part of the format of a run: a change here would change every repeated run.
        Assert.Equal(Expected, seeds.For("noise", 3));
    }

    private const long Expected = -7968425305859503270;
}
