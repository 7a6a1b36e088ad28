using ScottPlot;
using SkiaSharp;

namespace StableTune.Training;

/// <summary>
/// The font of charts, which comes with this assembly: Skia finds no fonts where it is built without fontconfig, and would draw no letter.
/// A chart also looks the same everywhere then.
/// </summary>
internal sealed class PlotFont : IFontResolver
{
    /// <summary>What plots call it; not a name that a host's own plots ask for.</summary>
    public const string Name = "StableTune DejaVu Sans";

    private static readonly Lazy<PlotFont> s_registered = new(() =>
    {
        var font = new PlotFont();
        Fonts.FontResolvers.Add(font);
        return font;
    });

    private readonly SKTypeface _typeface = Read();

    private PlotFont() { }

    /// <summary>Makes all labels of a plot use the font. The first call tells ScottPlot of it, for the whole process; nothing else there
    /// is changed.</summary>
    public static void Use(Plot plot)
    {
        _ = s_registered.Value;
        plot.Font.Set(Name);
        plot.Legend.FontName = Name;
    }

    /// <inheritdoc/>
    public SKTypeface? CreateTypeface(string fontName, FontWeight weight, FontSlant slant, FontSpacing spacing) =>
        fontName == Name ? _typeface : null;

    /// <inheritdoc/>
    public SKTypeface? CreateTypeface(string fontName, bool bold, bool italic) => fontName == Name ? _typeface : null;

    private static SKTypeface Read()
    {
        using var stream = typeof(PlotFont).Assembly.GetManifestResourceStream("StableTune.Training.Plots.DejaVuSans.ttf")!;
        using var data = SKData.Create(stream);
        return SKTypeface.FromData(data);
    }
}
