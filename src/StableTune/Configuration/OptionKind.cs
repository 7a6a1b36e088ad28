using System.Globalization;
using StableTune.Formats;
using StableTune.Imaging;

namespace StableTune;

/// <summary>
/// What an option's value is: how it is read from a word of a command line and from a value of a file, and how it is written. Reading
/// gives null for a value of another kind, never a guess.
/// </summary>
public abstract class OptionKind
{
    /// <summary>Begins a kind.</summary>
    /// <param name="name">What a value must be, as messages say it: "a whole number".</param>
    private protected OptionKind(string name) => Name = name;

    /// <summary>There or not; in files <c>true</c> or <c>false</c>.</summary>
    public static OptionKind Flag { get; } = new FlagKind();

    /// <summary>A whole number of 32 bits.</summary>
    public static OptionKind Integer { get; } = new IntegerKind();

    /// <summary>A whole number of 64 bits: seeds.</summary>
    public static OptionKind Long { get; } = new LongKind();

    /// <summary>A finite number.</summary>
    public static OptionKind Number { get; } = new NumberKind();

    /// <summary>Any text.</summary>
    public static OptionKind Text { get; } = new TextKind();

    /// <summary>A text, or nothing behind the name: an empty text.</summary>
    internal static OptionKind TextOrNothing { get; } = new TextOrNothingKind();

    /// <summary>Several texts: on a command line one after the other.</summary>
    public static OptionKind Texts { get; } = new TextsKind();

    /// <summary>Several numbers.</summary>
    public static OptionKind Numbers { get; } = new NumbersKind();

    /// <summary>Two numbers, as in <c>2.0,4.0</c>.</summary>
    public static OptionKind Pair { get; } = new PairKind();

    /// <summary>One side in pixels, or width and height: <c>512</c>, <c>512,768</c>.</summary>
    public static OptionKind Size { get; } = new SizeKind();

    /// <summary>Steps, a part of all steps below 1, or such a part as <c>10%</c>.</summary>
    public static OptionKind StepsOrPart { get; } = new StepsOrPartKind();

    /// <summary>What a value must be, as messages say it: "a whole number".</summary>
    public string Name { get; }

    /// <summary>Whether a command line may give several words.</summary>
    public virtual bool TakesSeveral => false;

    /// <summary>One of some words.</summary>
    /// <param name="words">The words, as the references spell them.</param>
    public static OptionKind Choice(params string[] words) => new ChoiceKind(words);

    /// <inheritdoc/>
    public override string ToString() => Name;

    /// <summary>The value of a word; null where it is of another kind.</summary>
    internal abstract object? Read(string word);

    /// <summary>The value of several words.</summary>
    internal virtual object? Read(IReadOnlyList<string> words) => words.Count == 1 ? Read(words[0]) : null;

    /// <summary>The value in a file.</summary>
    internal abstract object? Read(TomlValue value);

    /// <summary>The value as a file has it.</summary>
    internal abstract TomlValue Write(object value);

    private static double? NumberOf(string word) =>
        double.TryParse(word.Trim(), NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number)
            ? number : null;

    private static int? IntegerOf(TomlValue value) => value.AsInteger is { } number && (int)number == number ? (int)number : null;

    private static double? NumberOf(TomlValue value) =>
        value.AsNumber is { } number ? double.IsFinite(number) ? number : null : value.AsText is { } text ? NumberOf(text) : null;

    private sealed class FlagKind() : OptionKind("true or false")
    {
        internal override object? Read(string word) => bool.TryParse(word, out var flag) ? flag : null;

        internal override object? Read(IReadOnlyList<string> words) => words.Count == 0 ? true : base.Read(words);

        internal override object? Read(TomlValue value) => value.AsBoolean;

        internal override TomlValue Write(object value) => (bool)value;
    }

    private sealed class IntegerKind() : OptionKind("a whole number")
    {
        internal override object? Read(string word) => int.TryParse(word, CultureInfo.InvariantCulture, out var number) ? number : null;

        internal override object? Read(TomlValue value) => IntegerOf(value);

        internal override TomlValue Write(object value) => (int)value;
    }

    private sealed class LongKind() : OptionKind("a whole number")
    {
        internal override object? Read(string word) => long.TryParse(word, CultureInfo.InvariantCulture, out var number) ? number : null;

        internal override object? Read(TomlValue value) => value.AsInteger;

        internal override TomlValue Write(object value) => (long)value;
    }

    private sealed class NumberKind() : OptionKind("a number")
    {
        internal override object? Read(string word) => NumberOf(word);

        /// <remarks>Texts too: people write <c>"1e-4"</c>, and the reference takes it.</remarks>
        internal override object? Read(TomlValue value) => NumberOf(value);

        internal override TomlValue Write(object value) => (double)value;
    }

    private sealed class TextKind() : OptionKind("a text")
    {
        internal override object Read(string word) => word;

        internal override object? Read(TomlValue value) => value.AsText;

        internal override TomlValue Write(object value) => (string)value;
    }

    private sealed class TextOrNothingKind() : OptionKind("a text, or nothing")
    {
        internal override object Read(string word) => word;

        internal override object? Read(IReadOnlyList<string> words) => words.Count == 0 ? "" : base.Read(words);

        internal override object? Read(TomlValue value) => value.AsText ?? (value.AsBoolean == true ? "" : null);

        internal override TomlValue Write(object value) => (string)value;
    }

    private sealed class TextsKind() : OptionKind("one or several texts")
    {
        public override bool TakesSeveral => true;

        internal override object Read(string word) => new[] { word };

        internal override object Read(IReadOnlyList<string> words) => words.ToArray();

        internal override object? Read(TomlValue value) => value.AsText is { } one ? new[] { one }
            : value.AsArray is { } list && list.All(item => item.AsText is not null) ? list.Select(item => item.AsText!).ToArray() : null;

        internal override TomlValue Write(object value) => new TomlArray(((string[])value).Select(text => (TomlValue)text));
    }

    private sealed class NumbersKind() : OptionKind("one or several numbers")
    {
        public override bool TakesSeveral => true;

        internal override object? Read(string word) => Read(word.Split(','));

        internal override object? Read(IReadOnlyList<string> words) =>
            words.SelectMany(word => word.Split(',')).Select(NumberOf).ToArray() is var numbers && numbers.All(number => number is not null)
                && numbers.Length > 0 ? numbers.Select(number => number!.Value).ToArray() : null;

        internal override object? Read(TomlValue value) => value.AsArray is { } list
            ? list.Select(NumberOf).ToArray() is var numbers && numbers.All(number => number is not null)
                ? numbers.Select(number => number!.Value).ToArray() : null
            : value.AsText is { } text ? Read(text) : NumberOf(value) is { } one ? new[] { one } : null;

        internal override TomlValue Write(object value) => (double[])value is [var one] ? one
            : new TomlArray(((double[])value).Select(number => (TomlValue)number));
    }

    private sealed class PairKind() : OptionKind("two numbers, as in 2.0,4.0")
    {
        internal override object? Read(string word) => word.Trim('(', ')').Split(',').Select(NumberOf).ToArray() is [{ } from, { } to]
            ? (from, to) : null;

        internal override object? Read(IReadOnlyList<string> words) => Read(string.Join(',', words));

        internal override object? Read(TomlValue value) => value.AsText is { } text ? Read(text)
            : value.AsArray is [{ AsNumber: { } from }, { AsNumber: { } to }] ? (from, to) : null;

        internal override TomlValue Write(object value)
        {
            var (from, to) = ((double, double))value;
            return new TomlArray([from, to]);
        }
    }

    private sealed class SizeKind() : OptionKind("a side in pixels, or width,height")
    {
        internal override object? Read(string word)
        {
            var sides = word.Split(',').Select(part => int.TryParse(part.Trim(), CultureInfo.InvariantCulture, out var side) ? side : 0)
                .ToArray();
            return sides is [> 0] ? new PixelSize(sides[0], sides[0]) : sides is [> 0, > 0] ? new PixelSize(sides[0], sides[1]) : null;
        }

        internal override object? Read(IReadOnlyList<string> words) => Read(string.Join(',', words));

        internal override object? Read(TomlValue value) => value.AsText is { } text ? Read(text)
            : IntegerOf(value) is > 0 and { } side ? new PixelSize(side, side)
            : value.AsArray is [var width, var height] && IntegerOf(width) is > 0 and { } w && IntegerOf(height) is > 0 and { } h
                ? new PixelSize(w, h) : null;

        internal override TomlValue Write(object value) => (PixelSize)value is var size && size.Width == size.Height ? size.Width
            : new TomlArray([size.Width, size.Height]);
    }

    private sealed class StepsOrPartKind() : OptionKind("a number of steps, a part below 1, or a percentage such as 10%")
    {
        internal override object? Read(string word) =>
            word.EndsWith('%') ? NumberOf(word[..^1]) is >= 0 and <= 100 and { } percent ? Warmup.Ratio(percent / 100) : null
            : word.Trim() is "1.0" ? Warmup.Ratio(1)
            : NumberOf(word) is { } number ? Of(number) : null;

        /// <remarks>1 is one step, and 1.0 all of them, as in the reference.</remarks>
        internal override object? Read(TomlValue value) => value.AsText is { } text ? Read(text)
            : value.AsNumber is 1 && value.AsInteger is null ? Warmup.Ratio(1)
            : value.AsNumber is { } number ? Of(number) : null;

        private static object? Of(double number) => number is > 0 and < 1 ? Warmup.Ratio(number)
            : number == Math.Floor(number) && number is >= 0 and < int.MaxValue ? Warmup.Steps((int)number) : null;

        internal override TomlValue Write(object value) =>
            ((Warmup)value).Part is { } part ? (TomlValue)part : (TomlValue)((Warmup)value).In(0);
    }

    private sealed class ChoiceKind(string[] words) : OptionKind("one of " + string.Join(", ", words))
    {
        internal override object? Read(string word) => words.FirstOrDefault(known => known == word);

        internal override object? Read(TomlValue value) => value.AsText is { } text ? Read(text) : null;

        internal override TomlValue Write(object value) => (string)value;
    }
}
