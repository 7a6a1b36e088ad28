using StableTune.Formats;
using StableTune.Testing;

namespace StableTune.Adapters.Tests;

/// <summary>
/// A model reduced to its tree: modules of the right names and classes, and layers of the right shapes, built from the names and shapes of
/// weights. It computes nothing.
/// </summary>
internal sealed class ModelTree : nn.Module
{
    private readonly Dictionary<string, ModelTree> _inner = new(StringComparer.Ordinal);

    private ModelTree(string className) : base(className) { }

    /// <summary>A tree of the weights of a safetensors file.</summary>
    public static ModelTree FromFile(params string[] parts)
    {
        using var file = SafetensorsFile.Open(Fixtures.Path(parts));
        return FromWeights(file.Tensors.Select(info => (info.Name, info.Shape.ToArray())));
    }

    /// <summary>A small model of the fixture networks/networks.json, without its norms.</summary>
    /// <param name="modules">"toy_unet_modules" or "toy_text_encoder_modules".</param>
    public static ModelTree Toy(string modules)
    {
        using var json = System.Text.Json.JsonDocument.Parse(File.ReadAllBytes(Fixtures.Path("networks", "networks.json")));
        return FromWeights(
            from entry in json.RootElement.GetProperty(modules).EnumerateArray()
            let weight = entry.GetProperty("weight")
            where weight.ValueKind == System.Text.Json.JsonValueKind.Array
            select (entry.GetProperty("name").GetString() + ".weight", weight.EnumerateArray().Select(size => size.GetInt64()).ToArray()));
    }

    /// <summary>A tree of names and shapes of weights; 1-dimensional ones (norms, biases) are passed over.</summary>
    /// <remarks>
    /// Children are registered in alphabetical order (lists in the order of their numbers), which is not the reference's: the order of
    /// adapters must
    /// not depend on it.
    /// </remarks>
    public static ModelTree FromWeights(IEnumerable<(string Name, long[] Shape)> weights, string className = "Model")
    {
        var root = new ModelTree(className);
        foreach (var (name, shape) in weights.Where(w =>
            w.Shape.Length is 2 or 4 && w.Name.EndsWith(".weight", StringComparison.Ordinal) && !w.Name.Contains("embedding.weight"))
            .OrderBy(w => string.Join('.', w.Name.Split('.').Select(s => s.PadLeft(char.IsDigit(s[0]) ? 4 : 0, '0'))),
                StringComparer.Ordinal))
            root.Add(name.Split('.')[..^1], shape);
        return root;
    }

    /// <summary>A tree of a single layer below a transformer of the UNet; its adapter is called lora_unet_test.</summary>
    public static ModelTree Of(nn.Module layer, string name = "test", string className = "Transformer2DModel")
    {
        var root = new ModelTree(className);
        root.register_module(name, layer);
        return root;
    }

    private void Add(string[] path, long[] shape)
    {
        if (path.Length == 1)
        {
            register_module(path[0], shape.Length == 2 ? new Linear(shape[1], shape[0]) : new Conv2d(shape[1], shape[0], shape[2]));
            return;
        }

        if (!_inner.TryGetValue(path[0], out var child))
        {
            child = new ModelTree(ClassOf(path[0], this));
            _inner.Add(path[0], child);
            register_module(path[0], child);
        }

        child.Add(path[1..], shape);
    }

    private static string ClassOf(string name, ModelTree parent) => (name, parent.GetName()) switch
    {
        (_, "attentions") => "Transformer2DModel",
        (_, "resnets") => "ResnetBlock2D",
        (_, "downsamplers") => "Downsample2D",
        (_, "upsamplers") => "Upsample2D",
        ("self_attn", _) => "ClipAttention",
        ("mlp", _) => "ClipMlp",
        _ => name,
    };
}
