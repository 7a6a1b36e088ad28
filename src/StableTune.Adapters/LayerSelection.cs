using System.Text.RegularExpressions;

namespace StableTune.Adapters;

/// <summary>
/// Which layers get adapters: those below modules of certain classes, of which regular expressions pick some. Classes are told by the name
/// of the module's type or by its own name (<c>GetName()</c>), whatever the case, so <c>ClipAttention</c> is <c>CLIPAttention</c>; no model
/// type is known here.
/// </summary>
public sealed record LayerSelection : OptionsBase
{
    /// <summary>A class that no module has: as the only class of a part it says that none of its layers lies below one.</summary>
    public const string Nowhere = "-";

    /// <summary>Classes of the UNet's modules below which layers are adapted. Empty: anywhere in the UNet.</summary>
    public IReadOnlyList<string> UNetClasses { get; init; } = ["Transformer2DModel"];

    /// <summary>Whether convolutions with kernels larger than 1x1 are adapted too. Default false.</summary>
    public bool Convolutions { get; init; }

    /// <summary>Classes of the text encoders' modules below which layers are adapted. Empty: anywhere in the text encoders.</summary>
    public IReadOnlyList<string> TextEncoderClasses { get; init; } =
        ["CLIPAttention", "CLIPSdpaAttention", "CLIPMLP", "BertLayer", "LDMBertEncoderLayer"];

    /// <summary>
    /// Regular expressions for layers of the UNet that are adapted wherever they lie, beside those below <see cref="UNetClasses"/>. Each is
    /// matched from the start of the dotted path within the UNet: <c>conv_in</c>, <c>time_embedding.linear_1</c>. Default none.
    /// </summary>
    public IReadOnlyList<string> UNetNames { get; init; } = [];

    /// <summary>The same kind of expressions as <see cref="UNetNames"/>, for layers of the text encoders. Default none.</summary>
    public IReadOnlyList<string> TextEncoderNames { get; init; } = [];

    /// <summary>
    /// Regular expressions of which one must occur in a layer's dotted path with the part in front (<see cref="AdaptedLayer.FullPath"/>):
    /// <c>unet.down_blocks.*attn2</c>, <c>^text_encoder\.</c>. Empty: all layers.
    /// </summary>
    public IReadOnlyList<string> Include { get; init; } = [];

    /// <summary>Regular expressions of which none may occur in a layer's path; they win over <see cref="Include"/>.</summary>
    public IReadOnlyList<string> Exclude { get; init; } = [];

    /// <summary>
    /// What sd-scripts' <c>networks.lora</c> adapts without <c>conv_dim</c>: every linear layer and every 1x1 convolution below
    /// the UNet's transformers, and every linear layer of the text encoder's attention and feed-forward modules. Text encoders
    /// like BERT's, which sd-scripts does not know, are adapted in the same places.
    /// </summary>
    public static LayerSelection SdScripts { get; } = new();

    /// <summary>
    /// What it adapts with <c>conv_dim</c>: also all convolutions and linear layers of the UNet's resnets, and the convolutions of its
    /// downsamplers and upsamplers.
    /// </summary>
    public static LayerSelection SdScriptsWithConvolutions { get; } = new()
    {
        UNetClasses = ["Transformer2DModel", "ResnetBlock2D", "Downsample2D", "Upsample2D"],
        Convolutions = true,
    };

    /// <summary>
    /// What sd-trainer adapts: all linear layers and 1x1 convolutions below the UNet's transformers, resnets, downsamplers and upsamplers,
    /// and the text encoder's attention and feed-forward modules.
    /// </summary>
    public static LayerSelection SdTrainer { get; } = new()
    {
        UNetClasses = ["Transformer2DModel", "ResnetBlock2D", "Downsample2D", "Upsample2D"],
    };

    /// <summary>Every linear layer and every convolution, wherever it lies: for models of a host's own.</summary>
    public static LayerSelection Everything { get; } = new() { UNetClasses = [], TextEncoderClasses = [], Convolutions = true };

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        foreach (var expression in UNetNames)
            if (Fault(expression) is { } fault) yield return Problem(expression, fault, Remedy, nameof(UNetNames));
        foreach (var expression in TextEncoderNames)
            if (Fault(expression) is { } fault) yield return Problem(expression, fault, Remedy, nameof(TextEncoderNames));
        foreach (var expression in Include)
            if (Fault(expression) is { } fault) yield return Problem(expression, fault, Remedy, nameof(Include));
        foreach (var expression in Exclude)
            if (Fault(expression) is { } fault) yield return Problem(expression, fault, Remedy, nameof(Exclude));
    }

    /// <summary>
    /// A regular expression for a pattern with wildcards, which must fit a layer's whole path: <c>*</c> stands for any letters, dots
    /// included, <c>?</c> for one, <c>[qk]</c> for one of these: <c>Include = [LayerSelection.Glob("unet.down_blocks.*.attn2.*")]</c>.
    /// </summary>
    /// <param name="pattern">The pattern.</param>
    public static string Glob(string pattern)
    {
        ArgumentNullException.ThrowIfNull(pattern);
        var escaped = Regex.Escape(pattern).Replace(@"\*", ".*", StringComparison.Ordinal).Replace(@"\?", ".", StringComparison.Ordinal);
        return $"^{escaped.Replace(@"\[", "[", StringComparison.Ordinal).Replace("[!", "[^", StringComparison.Ordinal)}$";
    }

    /// <summary>The classes of one part.</summary>
    internal IReadOnlyList<string> ClassesOf(AdapterParts part) => part == AdapterParts.UNet ? UNetClasses : TextEncoderClasses;

    /// <summary>The names of one part that are adapted wherever they lie.</summary>
    internal IReadOnlyList<string> NamesOf(AdapterParts part) => part == AdapterParts.UNet ? UNetNames : TextEncoderNames;

    /// <summary>
    /// Whether a layer lies below one of the classes of its part (all do, when there are neither classes nor names), or is named.
    /// </summary>
    internal bool Reaches(AdaptedLayer layer)
    {
        var (classes, names) = (ClassesOf(layer.Part), NamesOf(layer.Part));
        return (classes.Count == 0 && names.Count == 0)
            || layer.Classes.Any(own => classes.Contains(own, StringComparer.OrdinalIgnoreCase))
            || names.Any(name => Regex.IsMatch(layer.Path, $"^(?:{name})", RegexOptions.CultureInvariant));
    }

    /// <summary>Whether the expressions pick a path.</summary>
    internal bool Picks(string fullPath) => IsIncluded(fullPath) && !Exclude.Any(expression => Occurs(expression, fullPath));

    /// <summary>Whether a path fits <see cref="Include"/>.</summary>
    internal bool IsIncluded(string fullPath) => Include.Count == 0 || Include.Any(expression => Occurs(expression, fullPath));

    /// <summary>Whether a regular expression occurs in a layer's path.</summary>
    /// <param name="expression">The expression.</param>
    /// <param name="fullPath">The path with its part in front, <see cref="AdaptedLayer.FullPath"/>.</param>
    public static bool Occurs(string expression, string fullPath) => Regex.IsMatch(fullPath, expression, RegexOptions.CultureInvariant);

    /// <summary>What is wrong with a regular expression over layers' paths; null where nothing is.</summary>
    /// <param name="expression">The expression.</param>
    /// <param name="option">The option that holds it, with its record: "LayerSelection.Include".</param>
    public static OptionProblem? Check(string? expression, string option) =>
        Fault(expression) is { } fault ? new OptionProblem(option, expression, fault, Remedy) : null;

    internal const string Remedy =
        "write one over paths like unet.down_blocks.0.attentions.0.proj_in, for instance unet.down_blocks.*attn2";

    internal static string? Fault(string? expression)
    {
        if (string.IsNullOrEmpty(expression)) return "an expression must not be empty";
        try
        {
            _ = Regex.IsMatch("", expression, RegexOptions.CultureInvariant);
            return null;
        }
        catch (ArgumentException e)
        {
            return $"this is no regular expression ({e.Message.TrimEnd('.')})";
        }
    }
}
