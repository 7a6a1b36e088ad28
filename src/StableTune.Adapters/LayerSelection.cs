using System.Text.RegularExpressions;

namespace StableTune.Adapters;

/// <summary>
/// Which layers get adapters: those below modules of certain classes, of which regular expressions pick some. Classes are told by the name
/// of the module's type or by its own name (<c>GetName()</c>), whatever the case, so <c>ClipAttention</c> is <c>CLIPAttention</c>; no model
/// type is known here.
/// </summary>
public sealed record LayerSelection : OptionsBase
{
    /// <summary>Classes of the UNet's modules below which layers are adapted. Empty: anywhere in the UNet.</summary>
    public IReadOnlyList<string> UNetClasses { get; init; } = ["Transformer2DModel"];

    /// <summary>Whether convolutions with kernels larger than 1x1 are adapted too. Default false.</summary>
    public bool Convolutions { get; init; }

    /// <summary>Classes of the text encoders' modules below which layers are adapted. Empty: anywhere in the text encoders.</summary>
    public IReadOnlyList<string> TextEncoderClasses { get; init; } =
        ["CLIPAttention", "CLIPSdpaAttention", "CLIPMLP", "BertLayer", "LDMBertEncoderLayer"];

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

    /// <summary>Every linear layer and every convolution, wherever it lies: for models of a host's own.</summary>
    public static LayerSelection Everything { get; } = new() { UNetClasses = [], TextEncoderClasses = [], Convolutions = true };

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        foreach (var expression in Include)
            if (Fault(expression) is { } fault) yield return Problem(expression, fault, Remedy, nameof(Include));
        foreach (var expression in Exclude)
            if (Fault(expression) is { } fault) yield return Problem(expression, fault, Remedy, nameof(Exclude));
    }

    /// <summary>The classes of one part.</summary>
    internal IReadOnlyList<string> ClassesOf(AdapterParts part) => part == AdapterParts.UNet ? UNetClasses : TextEncoderClasses;

    /// <summary>Whether the expressions pick a path.</summary>
    internal bool Picks(string fullPath) => IsIncluded(fullPath) && !Exclude.Any(expression => Occurs(expression, fullPath));

    /// <summary>Whether a path fits <see cref="Include"/>.</summary>
    internal bool IsIncluded(string fullPath) => Include.Count == 0 || Include.Any(expression => Occurs(expression, fullPath));

    /// <summary>Whether a regular expression occurs in a path.</summary>
    internal static bool Occurs(string expression, string fullPath) => Regex.IsMatch(fullPath, expression, RegexOptions.CultureInvariant);

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
