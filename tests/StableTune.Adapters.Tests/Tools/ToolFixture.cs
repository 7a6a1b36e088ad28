using System.Text.Json;
using StableTune.Tensors;

namespace StableTune.Adapters.Tests.Tools;

/// <summary>The golden results of sd-scripts' tools for adapter files, and adapter files as matrices.</summary>
internal static class ToolFixture
{
    private static readonly Lazy<JsonDocument> Document =
        new(() => JsonDocument.Parse(File.ReadAllText(Fixtures.Path("networks", "file_tools.json"))));

    public static JsonElement Root => Document.Value.RootElement;

    public static JsonElement Case(string tool, string name) =>
        Root.GetProperty(tool).EnumerateArray().Single(entry => entry.GetProperty("case").GetString() == name);

    public static TheoryData<string> Cases(string tool) =>
        [.. Root.GetProperty(tool).EnumerateArray().Select(entry => entry.GetProperty("case").GetString()!)];

    public static bool Fails(JsonElement entry) => entry.TryGetProperty("error", out _);

    public static string Path(string file) => Fixtures.Path(["networks", .. file.Split('/')]);

    /// <summary>The files of a case with their ratios.</summary>
    public static WeightedAdapter[] Adapters(JsonElement entry)
    {
        var lists = entry.TryGetProperty("lbws", out var lbws)
            ? lbws.EnumerateArray().Select(list => JsonSerializer.Deserialize<double[]>(list.GetString()!)).ToArray() : [];
        return
        [
            .. entry.GetProperty("files").EnumerateArray().Zip(entry.GetProperty("ratios").EnumerateArray()).Select((pair, i) =>
                new WeightedAdapter(Path(pair.First.GetString()!), pair.Second.GetDouble()) { BlockWeights = lists.ElementAtOrDefault(i) }),
        ];
    }

    /// <summary>ΔW of each layer of a file, of the weight's shape.</summary>
    public static Dictionary<string, Tensor> Deltas(string path)
    {
        using var file = WeightFile.Open(path);
        return Deltas(name => file.Load(name, ScalarType.Float32), file.Names);
    }

    /// <summary>The same of golden tensors.</summary>
    public static Dictionary<string, Tensor> Deltas(Golden golden, string prefix) => Deltas(
        name => golden[prefix + name], golden.Names.Where(name => name.StartsWith(prefix, StringComparison.Ordinal))
            .Select(name => name[prefix.Length..]));

    private static Dictionary<string, Tensor> Deltas(Func<string, Tensor> load, IEnumerable<string> names) => names
        .Where(name => name.EndsWith(".lora_down.weight", StringComparison.Ordinal)).Select(name => name.Split('.')[0])
        .ToDictionary(name => name, name =>
        {
            var (down, up) = (load(name + ".lora_down.weight"), load(name + ".lora_up.weight"));
            var scale = load(name + ".alpha").item<float>() / down.shape[0];
            return (up.flatten(1).mm(down.flatten(1)) * scale).reshape([up.shape[0], .. down.shape[1..]]);
        });

    /// <summary>Factors with the signs that golden ones have, as a decomposition may return either.</summary>
    public static (Tensor Up, Tensor Down) WithSigns((Tensor Up, Tensor Down) factors, Tensor goldenUp)
    {
        var signs = (factors.Up * goldenUp.flatten(1)).sum([0L]).sign();
        return (factors.Up * signs, factors.Down * signs.unsqueeze(1));
    }

    /// <summary>Fails unless all layers are the same within atol + rtol · |expected|.</summary>
    public static void AssertSame(Dictionary<string, Tensor> expected, Dictionary<string, Tensor> actual, double absolute, double relative)
    {
        Assert.Equal(expected.Keys.Order(StringComparer.Ordinal), actual.Keys.Order(StringComparer.Ordinal));
        foreach (var (name, delta) in expected)
        {
            Assert.Equal(delta.shape, actual[name].shape);
            GoldenComparison.AssertClose(GoldenComparison.Floats(delta), GoldenComparison.Floats(actual[name]), name, absolute, relative);
        }
    }

    /// <summary>Fails unless each layer differs by no more than a part of its norm.</summary>
    public static void AssertNear(Dictionary<string, Tensor> expected, Dictionary<string, Tensor> actual, double part)
    {
        Assert.Equal(expected.Keys.Order(StringComparer.Ordinal), actual.Keys.Order(StringComparer.Ordinal));
        foreach (var (name, delta) in expected)
        {
            var (difference, norm) = ((delta - actual[name]).norm().item<float>(), delta.norm().item<float>());
            Assert.True(difference <= part * norm, $"{name}: the difference {difference} is more than {part} of the norm {norm}");
        }
    }

    /// <summary>A LoRA file of one's own.</summary>
    public static string Write(string path, IReadOnlyDictionary<string, string>? metadata, params (string Name, Tensor Tensor)[] tensors)
    {
        StateDictWriter.Save(path, tensors, metadata);
        return path;
    }

    /// <summary>A layer of a LoRA file of one's own, with random factors.</summary>
    public static (string Name, Tensor Tensor)[] Layer(string name, long output, long rank, long input, ulong seed = 0)
    {
        using var random = new Generator(seed);
        return
        [
            (name + ".lora_down.weight", randn([rank, input], generator: random)),
            (name + ".lora_up.weight", randn([output, rank], generator: random)),
            (name + ".alpha", tensor((float)rank / 2)),
        ];
    }
}
