using System.Text.Json;

namespace StableTune.Adapters.Tests;

/// <summary>sd-scripts' <c>scale_weight_norms</c> over a whole network.</summary>
public sealed class MaxNormTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly Golden _golden = Golden.Open("networks", "max_norm.safetensors");

    public void Dispose()
    {
        _golden.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void LimitNorms_OverANetwork_IsTheReferences()
    {
        using var scope = NewDisposeScope();
        using var json = JsonDocument.Parse(File.ReadAllBytes(Fixtures.Path("networks", "networks.json")));
        var expected = json.RootElement.GetProperty("max_norm");
        var modules = Toy(json.RootElement.GetProperty("toy_unet_modules"));
        using var unet = ModelTree.FromWeights(modules);
        using var text = ModelTree.FromWeights(Toy(json.RootElement.GetProperty("toy_text_encoder_modules")));
        var path = _folder.File("before.safetensors");
        var before = _golden.Names.Where(name => name.StartsWith("before/", StringComparison.Ordinal)).ToList();
        Tensors.StateDictWriter.Save(path, before.Select(name => (name["before/".Length..], _golden[name])));

        using var network = AdapterNetwork.FromFile(path, new AdapterHosts(unet, text));
        Assert.Equal(before.Count, network.SavedTensors().Count());
        var report = network.LimitNorms(expected.GetProperty("max_norm_value").GetDouble());
        Assert.Equal(expected.GetProperty("keys_scaled").GetInt32(), report.Scaled);
        Assert.Equal(expected.GetProperty("mean_norm").GetDouble(), report.Mean, 1e-5);
        Assert.Equal(expected.GetProperty("max_norm").GetDouble(), report.Largest, 1e-5);
        var after = network.SavedTensors().ToDictionary(tensor => tensor.Name, tensor => tensor.Tensor);
        var recorded = _golden.Names.Where(name => name.StartsWith("after/", StringComparison.Ordinal)).ToList();
        Assert.Equal(3 * expected.GetProperty("after_recorded_for").GetArrayLength(), recorded.Count);
        Assert.All(recorded, name => _golden.AssertClose(name, after[name["after/".Length..]], 2e-5));

        // Everything is within the limit now; half of it makes all weaker again.
        Assert.Equal(0, network.LimitNorms(1.001).Scaled);
        Assert.True(network.LimitNorms(0.5).Largest <= 0.5 + 1e-5);
        foreach (var limit in new[] { 0, -1, double.NaN, double.PositiveInfinity })
            Assert.Throws<ArgumentOutOfRangeException>(() => network.LimitNorms(limit));
    }

    private static IEnumerable<(string Name, long[] Shape)> Toy(JsonElement modules) => modules.EnumerateArray()
        .Where(module => module.GetProperty("weight").ValueKind == JsonValueKind.Array)
        .Select(module => ($"{module.GetProperty("name").GetString()}.weight",
            module.GetProperty("weight").EnumerateArray().Select(n => n.GetInt64()).ToArray()));
}
