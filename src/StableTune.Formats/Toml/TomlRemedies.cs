using System.Text.RegularExpressions;

namespace StableTune.Formats;

/// <summary>What to do about the faults of notation that Tomlyn finds.</summary>
internal static partial class TomlRemedies
{
    public const string Escapes = "Known escapes are \\b \\t \\n \\f \\r \\\" \\\\ \\uXXXX \\UXXXXXXXX; in single quotes a backslash is "
        + "an ordinary character.";

    public const string Numbers = "Whole numbers have 64 bits, floats reach 1.8e308 and have digits on both sides of the point; "
        + "underscores stand between digits.";

    public const string Dates =
        "Dates read 2024-05-27, times 07:32:00 or 07:32:00.5 with up to seven digits, both together 2024-05-27T07:32:00, with an offset "
            + "Z or +01:00 behind.";

    public const string Braces = "A table in braces stands on one line, its keys separated by commas, without one at the end: { a = 1, b "
        + "= 2 }.";

    private const string Headers = "Headers are written as [name], those of tables in a list as [[name]].";

    private const string Keys = "Keys consist of A-Z a-z 0-9 _ -, or stand in quotes.";

    private const string Values = "Values are texts in quotes, numbers, true, false, dates, lists in [] and tables in {}.";

    // What Tomlyn's message holds, and the remedy; the first that fits counts.
    private static readonly (string Words, string Remedy)[] s_remedies =
    [
        ("inline table", Braces),
        ("escape", Escapes),
        ("Unicode scalar", Escapes),
        ("surrogate", "Remove it."),
        ("control character", "Remove it, or write it as an escape such as \\u0001 in a text in double quotes."),
        ("followed by \\n", "End lines with a line feed, perhaps with a carriage return before it."),
        ("string", "Close the text with the quotes that opened it; texts of several lines stand in three."),
        ("leading", "Decimal numbers have no leading zeros."),
        ("nderscore", Numbers),
        ("hexadecimal", Numbers),
        ("integer", Numbers),
        ("float", Numbers),
        ("date time", Dates),
        ("array", "The values of a list are separated by commas: [1, 2, 3]."),
        ("for a value", Values),
        ("expecting a value", Values),
        ("`=` after a key", "A line reads: key = value. A key with other characters than A-Z a-z 0-9 _ - stands in quotes."),
        ("expecting `]", Headers),
        ("newline", "Every key and every header stands on a line of its own."),
        ("key", Keys),
        ("Unexpected token [", Keys),
    ];

    // Tomlyn's word, and ours.
    private static readonly (string Tomlyn, string Ours)[] s_words =
    [
        ("Unexpected token found", "Found"),
        ("token `<eof>`", "end of the file"),
        ("token `Eof`", "end of the file"),
        ("`<eof>`", "the end of the file"),
        ("<eof>", "the end of the file"),
        ("token `newline`", "the end of the line"),
        ("`␤`", "the end of the line"),
        ("␤", "the end of the line"),
    ];

    /// <summary>Tomlyn's message as a sentence, without the names of its tokens and the escapes of TOML 1.1.</summary>
    public static string InWords(string message)
    {
        var words = Asides().Replace(message, "");
        foreach (var (tomlyn, ours) in s_words) words = words.Replace(tomlyn, ours, StringComparison.Ordinal);
        words = words.Trim();
        return words.EndsWith('.') ? words : words + ".";
    }

    /// <summary>The remedy for a fault.</summary>
    /// <param name="message">Tomlyn's message.</param>
    /// <param name="found">The text from the place on.</param>
    public static string For(string message, ReadOnlySpan<char> found)
    {
        foreach (var (word, remedy) in s_bareWords)
            if (found.StartsWith(word, StringComparison.Ordinal) && message.Contains("for a value", StringComparison.Ordinal))
                return remedy;
        foreach (var (words, remedy) in s_remedies)
            if (message.Contains(words, StringComparison.Ordinal)) return remedy;
        return "Correct the notation at this place.";
    }

    // What people write for a value who come from Python, YAML or JSON.
    private static readonly (string Word, string Remedy)[] s_bareWords =
    [
        .. from word in (string[])["True", "False", "TRUE", "FALSE"] select (word, "Write true or false in lower case."),
        .. from word in (string[])["None", "null", "nil"] select (word, "TOML has no empty value: leave the key out."),
        (".", "A float has digits on both sides of the point: 0.5."),
    ];

    [GeneratedRegex(@" \(token: `[^`]*`\)| Only b t n f r .*")]
    private static partial Regex Asides();
}
