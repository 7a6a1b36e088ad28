using System.Globalization;

namespace StableTune;

/// <summary>One thing that is wrong with the options of a run: which option, which value, what to do.</summary>
/// <param name="Option">The option as code names it, for instance <c>LoRAOptions.Rank</c>.</param>
/// <param name="Value">The value that was given; null reads as "not set".</param>
/// <param name="Rule">What the value must be, in lower case and without a full stop.</param>
/// <param name="Remedy">What to do about it, in lower case and without a full stop.</param>
public sealed record OptionProblem(string Option, object? Value, string Rule, string Remedy)
{
    /// <summary>The problem as one line: "LoRAOptions.Rank is 0: the rank must be at least 1. 4 to 16 is customary."</summary>
    public override string ToString() => $"{Option} is {Show(Value)}: {Rule}. {Sentence(Remedy)}";

    private static string Show(object? value) => value switch
    {
        null => "not set",
        string text => $"\"{text}\"",
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        _ => value.ToString() ?? "not set",
    };

    private static string Sentence(string text) =>
        text.Length == 0 ? text : char.ToUpperInvariant(text[0]) + text[1..] + (text.EndsWith('.') ? "" : ".");
}
