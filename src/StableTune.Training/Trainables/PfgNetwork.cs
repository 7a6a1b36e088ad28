using StableTune.Formats;
using StableTune.Models;
using StableTune.Tensors;

namespace StableTune.Trainables;

/// <summary>One linear layer that makes text tokens of what a tagger saw in a picture: sd-trainer's "prompt free generation".</summary>
public sealed class PfgNetwork : IDisposable
{
    private readonly Linear _layer;

    private PfgNetwork(Linear layer, int contextWidth) => (_layer, ContextWidth) = (layer, contextWidth);

    /// <summary>Numbers that the tagger gives of a picture.</summary>
    public int InputSize => (int)_layer.in_features;

    /// <summary>Width of a token, as the UNet's text context.</summary>
    public int ContextWidth { get; }

    /// <summary>Tokens that it makes.</summary>
    public int Tokens => (int)_layer.out_features / ContextWidth;

    /// <summary>The layer, [tokens · width, input].</summary>
    public Linear Layer => _layer;

    /// <summary>A new network, drawn as PyTorch draws linear layers.</summary>
    /// <param name="inputSize">See <see cref="InputSize"/>.</param>
    /// <param name="contextWidth">See <see cref="ContextWidth"/>.</param>
    /// <param name="tokens">See <see cref="Tokens"/>.</param>
    /// <param name="random">What weights are drawn from.</param>
    public static PfgNetwork Create(int inputSize, int contextWidth, int tokens, Generator random)
    {
        ArgumentNullException.ThrowIfNull(random);
        using var frozen = no_grad();
        Linear layer;
        using (LayerInitialization.Skip()) layer = new Linear(inputSize, (long)contextWidth * tokens);
        var bound = 1 / Math.Sqrt(inputSize);
        layer.weight.uniform_(-bound, bound, random);
        layer.bias!.uniform_(-bound, bound, random);
        return new PfgNetwork(layer, contextWidth);
    }

    /// <summary>Loads a network: a state dictionary with <c>weight</c> and <c>bias</c>, safetensors or torch.</summary>
    /// <param name="path">The file.</param>
    /// <param name="contextWidth">Width of the UNet's text context.</param>
    /// <exception cref="InvalidFileException">It is missing, damaged, of another kind, or for another context.</exception>
    public static PfgNetwork Load(string path, int contextWidth)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(contextWidth, 1);
        using var file = WeightFile.Open(path);
        var (inputSize, _) = Sizes(file.Source, contextWidth);
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        Linear layer;
        using (LayerInitialization.Skip()) layer = new Linear(inputSize, file.Source["weight"].Shape[0]);
        ModuleWeights.LoadInto(layer, file, dtype: ScalarType.Float32).ThrowIfIncomplete();
        return new PfgNetwork(layer, contextWidth);
    }

    /// <summary>What the headers of a file say of its network.</summary>
    /// <param name="file">The file.</param>
    /// <param name="contextWidth">Width of the UNet's text context.</param>
    /// <exception cref="InvalidFileException">It is of another kind, or for another context.</exception>
    internal static (int InputSize, int Tokens) Sizes(ITensorFile file, int contextWidth)
    {
        if (file.Tensors.Count != 2 || !file.TryGet("weight", out var weight) || !file.TryGet("bias", out var bias)
            || weight.Shape is not [var rows, var columns] || bias.Shape is not [var same] || same != rows || columns is < 1 or > 1 << 20)
            throw new InvalidFileException(file.Path,
                $"it is no PFG network, which holds nothing but 'weight' [tokens · width, features] and 'bias': it has "
                    + $"{string.Join(", ", file.Tensors.Take(3).Select(tensor => $"'{tensor.Name}' {tensor}"))}.",
                "Name a file that PFG has written.");
        if (rows < contextWidth || rows % contextWidth != 0)
            throw new InvalidFileException(file.Path,
                $"it makes {rows} numbers of a picture, which are no tokens of the {contextWidth} that this model's text context is wide.",
                "Use a network that was trained with this kind of model: SD 1.x has 768, SD 2.x 1024.");
        return ((int)columns, (int)(rows / contextWidth));
    }

    /// <summary>Writes the network, complete or not at all; .safetensors, or any other extension for torch's form.</summary>
    /// <param name="path">The file.</param>
    /// <param name="type">The type of the saved numbers.</param>
    public void Save(string path, ScalarType type = ScalarType.Float32)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        (string, Tensor)[] tensors = [("weight", _layer.weight), ("bias", _layer.bias!)];
        if (Path.GetExtension(path).Equals(".safetensors", StringComparison.OrdinalIgnoreCase))
            StateDictWriter.Save(path, tensors, new Dictionary<string, string> { ["format"] = "pt" }, type);
        else TorchWriter.Write(path, [.. StatePayloads.Of(tensors, type)], TorchLayout.OrderedDictionary);
    }

    /// <summary>Copies what <see cref="Save"/> would write now; null where that would take too much memory.</summary>
    internal Action? PrepareSave(string path, ScalarType type, PayloadCopies copies)
    {
        (string, Tensor)[] named = [("weight", _layer.weight), ("bias", _layer.bias!)];
        if (copies.TakeLasting(named, type) is not { } tensors) return null;
        return Path.GetExtension(path).Equals(".safetensors", StringComparison.OrdinalIgnoreCase)
            ? () => SafetensorsWriter.Write(path, tensors, new Dictionary<string, string> { ["format"] = "pt" })
            : () => TorchWriter.Write(path, tensors, TorchLayout.OrderedDictionary);
    }

    /// <summary>The tokens of features.</summary>
    /// <param name="features">[B, <see cref="InputSize"/>].</param>
    /// <returns>[B, <see cref="Tokens"/>, <see cref="ContextWidth"/>], of the features' type.</returns>
    /// <exception cref="ArgumentException">The features have another width.</exception>
    public Tensor TokensOf(Tensor features)
    {
        ArgumentNullException.ThrowIfNull(features);
        if (features.dim() != 2 || features.size(1) != InputSize)
            throw new ArgumentException(
                $"The features are of shape [{string.Join(", ", features.shape)}]: this network takes [B, {InputSize}]. Were they made "
                    + "with the tagger that it was trained with?", nameof(features));
        using var scope = NewDisposeScope();
        return _layer.call(features).view(features.size(0), Tokens, ContextWidth).MoveToOuterDisposeScope();
    }

    /// <summary>Conditions with the tokens of features after those of the text.</summary>
    /// <param name="conditions">Of B samples.</param>
    /// <param name="features">[B, D]; or [1, D] for conditions of a negative and a positive prompt, of which the negative one gets vectors
    /// of zeros, as in sd-trainer.</param>
    /// <returns>A context of L + <see cref="Tokens"/> tokens.</returns>
    public UNetConditions Extend(UNetConditions conditions, Tensor features)
    {
        ArgumentNullException.ThrowIfNull(conditions);
        ArgumentNullException.ThrowIfNull(features);
        using var scope = NewDisposeScope();
        var context = conditions.Context;
        var tokens = TokensOf(features.to(context.device).to(context.dtype));
        if (features.size(0) == 1 && context.size(0) == 2) tokens = cat([zeros_like(tokens), tokens], 0);
        // A context for each attention layer gets them in each.
        if (context.dim() == 4) tokens = tokens.unsqueeze(1).expand(-1, context.size(1), -1, -1);
        return conditions with { Context = cat([context, tokens], -2).MoveToOuterDisposeScope() };
    }

    /// <summary>Frees the layer.</summary>
    public void Dispose() => _layer.Dispose();
}
