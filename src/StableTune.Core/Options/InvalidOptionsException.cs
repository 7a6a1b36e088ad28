namespace StableTune;

/// <summary>Thrown once, before any work starts, with everything that is wrong with the options of a run.</summary>
public sealed class InvalidOptionsException : Exception
{
    /// <summary>Creates the exception; its message lists every problem.</summary>
    public InvalidOptionsException(IEnumerable<OptionProblem> problems) : this(problems.ToArray()) { }

    private InvalidOptionsException(OptionProblem[] problems) : base(Describe(problems)) => Problems = problems;

    /// <summary>The problems, in the order in which they were found.</summary>
    public IReadOnlyList<OptionProblem> Problems { get; }

    /// <summary>Throws when there is at least one problem.</summary>
    /// <exception cref="InvalidOptionsException">There are problems.</exception>
    public static void ThrowIfAny(IEnumerable<OptionProblem> problems)
    {
        var found = problems.ToArray();
        if (found.Length > 0) throw new InvalidOptionsException(found);
    }

    private static string Describe(OptionProblem[] problems) =>
        $"{problems.Length} option(s) need attention:" + string.Concat(problems.Select(p => $"{Environment.NewLine}  - {p}"));
}
