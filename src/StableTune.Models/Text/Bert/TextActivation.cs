namespace StableTune.Models;

/// <summary>The activations of BERT-like encoders, by the names that configurations of <c>transformers</c> use.</summary>
internal static class TextActivation
{
    private static readonly Dictionary<string, Func<Tensor, Tensor>> Known = new()
    {
        ["gelu"] = x => nn.functional.gelu(x),                       // x · Φ(x), exact
        ["gelu_new"] = x => Activations.TanhGelu(x),           // 0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³))), and so are the next two
        ["gelu_fast"] = x => Activations.TanhGelu(x),
        ["gelu_pytorch_tanh"] = x => Activations.TanhGelu(x),
        ["quick_gelu"] = Activations.QuickGelu,                          // x · sigmoid(1.702 x)
        ["relu"] = x => nn.functional.relu(x),
        ["silu"] = x => nn.functional.silu(x),
        ["swish"] = x => nn.functional.silu(x),
        ["tanh"] = x => x.tanh(),
    };

    /// <summary>The known names.</summary>
    public static IReadOnlyCollection<string> Names => Known.Keys;

    /// <summary>The function of that name; elementwise.</summary>
    public static Func<Tensor, Tensor> Get(string name) => Known[name];
}
