namespace StableTune.Models;

/// <summary>The activations of CLIP's feed-forward parts, by the names that configurations use.</summary>
internal static class ClipActivation
{
    private static readonly Dictionary<string, Func<Tensor, Tensor>> Known = new()
    {
        ["quick_gelu"] = Activations.QuickGelu,   // x · sigmoid(1.702 x), OpenAI's approximation
        ["gelu"] = x => nn.functional.gelu(x),
    };

    /// <summary>The known names.</summary>
    public static IReadOnlyCollection<string> Names => Known.Keys;

    /// <summary>The function of that name; elementwise.</summary>
    public static Func<Tensor, Tensor> Get(string name) => Known[name];
}
