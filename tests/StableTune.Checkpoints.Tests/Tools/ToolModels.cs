using StableTune.Adapters;
using StableTune.Models;
using StableTune.Testing;

namespace StableTune.Checkpoints.Tests.Tools;

/// <summary>Tiny models, adapters for them, and their weights.</summary>
internal static class ToolModels
{
    /// <summary>A LoRA for a model, with random factors; also for convolutions.</summary>
    public static string WriteLora(string model, string path, int rank = 2, ulong seed = 1, double strength = 0.2)
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        using var loaded = ModelLoader.Load(model);
        using var random = new Generator(seed);
        var options = new LoRAOptions { Rank = rank, Alpha = rank, Layers = LayerSelection.SdScriptsWithConvolutions };
        using var network = AdapterNetwork.Attach(ModelHosts.Of(loaded), options, random);
        foreach (var (name, parameter, _) in network.NamedParameters())
            if (name.EndsWith("lora_up.weight", StringComparison.Ordinal))
                parameter.copy_(randn(parameter.shape, generator: random) * strength);
        network.Save(path, new Dictionary<string, string>
        {
            ["ss_base_model_version"] = loaded.BaseModelVersion, ["modelspec.title"] = "mine",
        });
        return path;
    }

    /// <summary>A model with its weights changed by a LoRA, and the LoRA.</summary>
    public static (string Model, string Lora) Tuned(string model, TemporaryFolder folder, ulong seed = 1, int rank = 2)
    {
        var lora = WriteLora(model, folder.File($"lora{seed}.safetensors"), rank, seed);
        var tuned = folder.File($"tuned{seed}");
        AdapterIntoModel.Merge(model, [lora], tuned,
            new AdapterIntoModelOptions { Saving = new ModelSaveOptions { Format = ModelFormat.DiffusersSafetensors } });
        return (tuned, lora);
    }

    /// <summary>All weights of a model by part and name, float32; of the caller's scope.</summary>
    public static Dictionary<string, Tensor> Weights(string model)
    {
        using var opened = OpenModel.Open(model, new ModelLoadOptions(), CancellationToken.None);
        return opened.Description.Parts.SelectMany(part => opened.Tensors(part.Name).Select(entry =>
            (Name: $"{part.Name}.{entry.Key}", Tensor: part.Weights.Load(entry.Value.Name, ScalarType.Float32))))
            .ToDictionary(entry => entry.Name, entry => entry.Tensor, StringComparer.Ordinal);
    }

    /// <summary>The largest difference of two sets of weights, which must have the same names.</summary>
    public static double Difference(Dictionary<string, Tensor> one, Dictionary<string, Tensor> other)
    {
        Assert.Equal(one.Keys.Order(StringComparer.Ordinal), other.Keys.Order(StringComparer.Ordinal));
        return one.Max(entry => (double)(entry.Value - other[entry.Key]).abs().max().item<float>());
    }
}
