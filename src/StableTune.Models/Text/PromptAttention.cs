using System.Globalization;
using System.Text;

namespace StableTune.Models;

/// <summary>A part of a prompt and its weight.</summary>
/// <param name="Text">Without the brackets.</param>
/// <param name="Weight">1 where nothing weighs it.</param>
public readonly record struct PromptPart(string Text, double Weight);

/// <summary>
/// The brackets of AUTOMATIC1111's prompts: <c>(x)</c> weighs 1.1, <c>[x]</c> 1/1.1, <c>(x:1.5)</c> 1.5; nesting multiplies; a backslash
/// makes a bracket literal; an open bracket reaches to the end.
/// </summary>
public static class PromptAttention
{
    /// <summary>Brackets open at one place; beyond this a weight means nothing, and each one costs a pass over what it holds.</summary>
    public const int DeepestNesting = 200;

    private const double RoundFactor = 1.1, SquareFactor = 1 / 1.1;

    /// <summary>The parts of a prompt, neighbours of equal weight joined; one empty part for an empty prompt.</summary>
    /// <exception cref="FormatException">A weight such as 1.1.1 is not a number or too large for one, or brackets are nested deeper than
    /// <see cref="DeepestNesting"/>.</exception>
    public static IReadOnlyList<PromptPart> Parse(string prompt)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        var parts = new List<PromptPart>();
        var (round, square) = (new Stack<int>(), new Stack<int>());
        for (var position = 0; position < prompt.Length;)
        {
            var piece = Next(prompt, ref position);
            if (piece[0] == '\\') parts.Add(new PromptPart(piece[1..], 1));
            else if (piece == "(") Open(round);
            else if (piece == "[") Open(square);
            else if (piece == ")" && round.Count > 0) Weigh(round.Pop(), RoundFactor);
            else if (piece == "]" && square.Count > 0) Weigh(square.Pop(), SquareFactor);
            else if (piece.Length > 1 && piece[0] == ':' && round.Count > 0) Weigh(round.Pop(), Number(piece[1..^1]));
            else parts.Add(new PromptPart(piece, 1));
        }

        foreach (var start in round.Reverse()) Weigh(start, RoundFactor);
        foreach (var start in square.Reverse()) Weigh(start, SquareFactor);
        if (parts.Find(part => !float.IsFinite((float)part.Weight)) is { Text: { } heaviest })
            throw new FormatException(
                $"The weight of \"{heaviest}\" in the prompt is beyond the range of numbers. Write it as in (word:1.2).");
        return parts.Count == 0 ? [new PromptPart("", 1)] : Join(parts);

        void Open(Stack<int> brackets)
        {
            brackets.Push(parts.Count);
            if (round.Count + square.Count > DeepestNesting)
                throw new FormatException(
                    $"The prompt has more than {DeepestNesting} brackets open at once. Close them, or write \\( and \\[ for literal ones.");
        }

        void Weigh(int start, double factor)
        {
            for (var i = start; i < parts.Count; i++) parts[i] = parts[i] with { Weight = parts[i].Weight * factor };
        }
    }

    // One of: a backslash with what it escapes; a bracket; ":number)"; a run of other text; a lone colon.
    private static string Next(string prompt, ref int position)
    {
        var start = position;
        switch (prompt[position])
        {
            case '\\':
                position++;
                if (position < prompt.Length && prompt[position] is '(' or ')' or '[' or ']' or '\\') position++;
                break;
            case '(' or ')' or '[' or ']':
                position++;
                break;
            case ':':
                position = EndOfWeight(prompt, position + 1) is { } end ? end : position + 1;
                break;
            default:
                var length = prompt.AsSpan(position).IndexOfAny("\\()[]:");
                position = length < 0 ? prompt.Length : position + length;
                break;
        }

        return prompt[start..position];
    }

    private static int? EndOfWeight(string prompt, int position)
    {
        if (position < prompt.Length && prompt[position] is '+' or '-') position++;
        var digits = position;
        while (position < prompt.Length && (char.IsAsciiDigit(prompt[position]) || prompt[position] == '.')) position++;
        return position > digits && position < prompt.Length && prompt[position] == ')' ? position + 1 : null;
    }

    private static double Number(string text) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number)
            ? number
            : throw new FormatException($"The weight \"{text}\" in the prompt is not a number. Write it as in (word:1.2).");

    private static List<PromptPart> Join(List<PromptPart> parts)
    {
        var joined = new List<PromptPart>();
        var text = new StringBuilder();
        for (var i = 0; i < parts.Count; i++)
        {
            text.Append(parts[i].Text);
            if (i + 1 < parts.Count && parts[i + 1].Weight.Equals(parts[i].Weight)) continue;
            joined.Add(new PromptPart(text.ToString(), parts[i].Weight));
            text.Clear();
        }

        return joined;
    }
}
