using System.Globalization;

namespace StableTune.Trainables;

/// <summary>Learning rates by block of the UNet, as factors of the UNet's rate. A block whose factor is 0 gets no adapters.</summary>
/// <remarks>sd-scripts' <c>down_lr_weight</c>, <c>mid_lr_weight</c>, <c>up_lr_weight</c> and <c>block_lr_zero_threshold</c>.</remarks>
public sealed record BlockRates : OptionsBase
{
    /// <summary>Factors of the down blocks: 12 for SD 1.x and 2.x, 9 for SDXL; null, the default, for 1 each.</summary>
    public BlockCurve? Down { get; init; }

    /// <summary>Factors of the middle: 1 for SD 1.x and 2.x, 3 for SDXL; null, the default, for 1 each.</summary>
    public BlockCurve? Mid { get; init; }

    /// <summary>Factors of the up blocks: 12 for SD 1.x and 2.x, 9 for SDXL; null, the default, for 1 each.</summary>
    public BlockCurve? Up { get; init; }

    /// <summary>Factors at or below this count as 0. Default 0.</summary>
    public double ZeroThreshold { get; init; }

    /// <summary>Reads sd-scripts' arguments; null where none of the three is given.</summary>
    /// <param name="down">Numbers with commas between, or a name: see <see cref="BlockCurve.Parse"/>.</param>
    /// <param name="mid">Numbers with commas between.</param>
    /// <param name="up">As <paramref name="down"/>.</param>
    /// <param name="zeroThreshold">See <see cref="ZeroThreshold"/>.</param>
    /// <exception cref="FormatException">A text is neither.</exception>
    public static BlockRates? Parse(string? down, string? mid, string? up, double zeroThreshold = 0) =>
        down is null && mid is null && up is null ? null : new BlockRates
        {
            Down = down is null ? null : BlockCurve.Parse(down), Mid = mid is null ? null : BlockCurve.Parse(mid),
            Up = up is null ? null : BlockCurve.Parse(up), ZeroThreshold = zeroThreshold,
        };

    /// <summary>The factor of each block, by <see cref="Adapters.AdaptedLayer.Block"/>: 25 for SD 1.x and 2.x, 23 for SDXL.</summary>
    /// <param name="isSdxl">Whether the model is SDXL.</param>
    public IReadOnlyList<double> Factors(bool isSdxl)
    {
        var (side, middle) = isSdxl ? (9, 3) : (12, 1);
        double[] blocks = [.. Of(Down, side), .. Of(Mid, middle), .. Of(Up, side)];
        // SDXL's first and last block, the embeddings and the output, are not asked for.
        return isSdxl ? [1, .. blocks, 1] : blocks;
    }

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        foreach (var (name, curve) in new[] { (nameof(Down), Down), (nameof(Mid), Mid), (nameof(Up), Up) })
            if (curve?.Values(12).Any(factor => !(factor >= 0 && double.IsFinite(factor))) == true)
                yield return Problem(curve.ToString(), "a factor must not be negative, and finite", "1 is the UNet's own rate", name);
        if (!double.IsFinite(ZeroThreshold)) yield return Problem(ZeroThreshold, "the threshold must be a number", "0 is customary");
    }

    private IEnumerable<double> Of(BlockCurve? curve, int count) =>
        (curve?.Values(count) ?? Enumerable.Repeat(1.0, count)).Select(factor => factor <= ZeroThreshold ? 0 : factor);
}

/// <summary>Factors along the blocks of one side of the UNet: a list of numbers, or one of sd-scripts' curves.</summary>
public sealed class BlockCurve
{
    private readonly Func<int, IEnumerable<double>> _values;
    private readonly string _text;

    private BlockCurve(string text, Func<int, IEnumerable<double>> values) => (_text, _values) = (text, values);

    private static readonly Catalog<Func<int, int, double>> s_curves = new Catalog<Func<int, int, double>>("curve of learning rates")
        .With("sine", () => (i, n) => Math.Sin(Math.PI / 2 * i / (n - 1)))
        .With("cosine", () => (i, n) => Math.Sin(Math.PI / 2 * (n - 1 - i) / (n - 1)))
        .With("linear", () => (i, n) => (double)i / (n - 1))
        .With("reverse_linear", () => (i, n) => (double)(n - 1 - i) / (n - 1))
        .With("zeros", () => (_, _) => 0);

    /// <summary>These factors in order; blocks beyond them get 1, and factors beyond the blocks do not count.</summary>
    /// <param name="factors">The factors.</param>
    public static BlockCurve Of(params double[] factors)
    {
        ArgumentNullException.ThrowIfNull(factors);
        return new(string.Join(',', factors.Select(factor => factor.ToString(CultureInfo.InvariantCulture))),
            n => Enumerable.Range(0, n).Select(i => i < factors.Length ? factors[i] : 1));
    }

    /// <summary>A curve by its name.</summary>
    /// <param name="name"><c>sine</c> (0 to 1, steep at first), <c>cosine</c> (the reverse), <c>linear</c>, <c>reverse_linear</c>,
    /// <c>zeros</c>.</param>
    /// <param name="offset">Is added to each factor.</param>
    /// <exception cref="ArgumentException">There is no such curve.</exception>
    public static BlockCurve Named(string name, double offset = 0)
    {
        var curve = s_curves.Create(name);
        return new(offset == 0 ? name : $"{name}+{offset.ToString(CultureInfo.InvariantCulture)}",
            n => Enumerable.Range(0, n).Select(i => (n == 1 ? 0 : curve(i, n)) + offset));
    }

    /// <summary>Reads what sd-scripts takes: numbers with commas between, or the name of a curve, with "+x" for an offset.</summary>
    /// <param name="text">For instance "1,0.5,0" or "sine+0.25". Between two commas nothing is 0.</param>
    /// <exception cref="FormatException">It is neither; the message has the known names.</exception>
    public static BlockCurve Parse(string text)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(text);
        if (text.Contains(',', StringComparison.Ordinal) || IsNumber(text, out _))
            return Of([.. text.Split(',').Select(part => part.Trim().Length == 0 ? 0 : IsNumber(part, out var number) ? number
                : throw new FormatException($"\"{ShortText.Of(text)}\": \"{part.Trim()}\" is no number."))]);
        var parts = text.Split('+', 2);
        var offset = 0.0;
        if (parts.Length == 2 && !IsNumber(parts[1], out offset))
            throw new FormatException($"\"{ShortText.Of(text)}\": \"{parts[1]}\" is no number.");
        try
        {
            return Named(parts[0].Trim(), offset);
        }
        catch (ArgumentException e)
        {
            throw new FormatException($"{e.Message} Or give numbers with commas between.", e);
        }
    }

    /// <summary>The factors of so many blocks.</summary>
    /// <param name="count">How many blocks.</param>
    public IEnumerable<double> Values(int count) => _values(count);

    /// <summary>As <see cref="Parse"/> reads it.</summary>
    public override string ToString() => _text;

    private static bool IsNumber(string text, out double number) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out number);
}
