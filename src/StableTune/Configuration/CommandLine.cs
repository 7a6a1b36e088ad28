namespace StableTune.Configuration;

/// <summary>Words of a command line, cut into options with what stands behind each.</summary>
internal static class CommandLine
{
    /// <summary>Where values of command lines come from, as messages say it.</summary>
    public const string Origin = "command line";

    /// <summary>An option as it was typed.</summary>
    /// <param name="Name">Its name with underscores, without hyphens before it.</param>
    /// <param name="Words">What stands behind it.</param>
    public sealed record Typed(string Name, IReadOnlyList<string> Words);

    /// <summary>Cuts a command line. <c>--network-dim</c>, <c>--network_dim 8</c> and <c>--network_dim=8</c> are the same.</summary>
    /// <param name="arguments">The words.</param>
    /// <param name="problems">Takes words that belong to no option.</param>
    public static IReadOnlyList<Typed> Read(IReadOnlyList<string> arguments, List<OptionProblem> problems)
    {
        var options = new List<Typed>();
        for (var i = 0; i < arguments.Count;)
        {
            if (!IsName(arguments[i]))
            {
                problems.Add(new OptionProblem(Origin, ShortText.Of(arguments[i]), "it belongs to no option",
                    "give options as --name value, and put texts with blanks into quotes"));
                i++;
                continue;
            }

            var name = arguments[i][2..];
            var at = name.IndexOf('=', StringComparison.Ordinal);
            var words = new List<string>();
            if (at > 0) words.Add(name[(at + 1)..]);
            for (i++; at < 0 && i < arguments.Count && !IsName(arguments[i]); i++) words.Add(arguments[i]);
            options.Add(new Typed((at > 0 ? name[..at] : name).Replace('-', '_'), words));
        }

        return options;
    }

    /// <summary>Reads the words behind an option.</summary>
    public static void Set(OptionValues values, RunOption option, Typed typed, string? shownAs = null)
    {
        if (option.Kind.Read(typed.Words) is { } value)
        {
            values.Set(new OptionValue(option, value, shownAs is null ? Origin : $"{Origin}: {shownAs}"));
            return;
        }

        var given = typed.Words.Count == 0 ? null : string.Join(' ', typed.Words);
        values.Problems.Add(new OptionProblem($"{Origin}: {typed.Name}", given, $"it must be {option.Kind.Name}",
            typed.Words.Count > 1 && !option.Kind.TakesSeveral ? "give one word, in quotes if it has blanks" : "write it so"));
    }

    private static bool IsName(string word) => word.Length > 2 && word.StartsWith("--", StringComparison.Ordinal);
}
