using System.Text.Json;
using StableTune.Tensors;

namespace StableTune.Adapters.Tests;

/// <summary>Outputs, gradients and merged weights of LyCORIS' LoHa, at the tolerances of the fixtures' README.</summary>
public sealed class LoHaParityTests : IDisposable
{
    // rtol 1e-4, atol 2e-5, convolutions 5e-5: outputs and weights are of the order of 1 and are held to the absolute part alone.
    private const double LinearTolerance = 2e-5, ConvolutionTolerance = 5e-5;

    private readonly TemporaryFolder _folder = new();
    private readonly Golden _base = Golden.Open("networks", "base.safetensors");
    private readonly Golden _cases = Golden.Open("networks", "lycoris.safetensors");

    public void Dispose()
    {
        _base.Dispose();
        _cases.Dispose();
        _folder.Dispose();
    }

    private static readonly string[] s_multipliers = ["1.0", "0.6"];

    private sealed record Case(string Name, string Module, double Scale, string[] Saved, string[] Trainable, string[] Folded)
    {
        public bool IsDora => Saved.Contains("dora_scale");

        public bool IsTucker => Saved.Contains("hada_t1");

        /// <summary>Whether a trainable scalar is folded into a factor that is saved: what is trained is then not what is saved.</summary>
        public bool IsFolded => Folded.Length > 0;
    }

    private static IEnumerable<Case> All()
    {
        using var json = JsonDocument.Parse(File.ReadAllBytes(Fixtures.Path("networks", "lycoris_cases.json")));
        return [.. from entry in json.RootElement.GetProperty("cases").EnumerateArray()
            where entry.GetProperty("class").GetString()!.EndsWith(".LohaModule", StringComparison.Ordinal)
            select new Case(entry.GetProperty("case").GetString()!, entry.GetProperty("module").GetString()!,
                entry.GetProperty("scale").GetDouble(),
                [.. entry.GetProperty("saved_keys").EnumerateObject().Select(key => key.Name["lora_unet_test.".Length..])],
                [.. entry.GetProperty("trainable").EnumerateObject().Select(key => key.Name)],
                [.. entry.GetProperty("state_dict_values_differ_from_parameters").EnumerateArray().Select(key => key.GetString()!)])];
    }

    public static TheoryData<string, string, string> Cases()
    {
        var data = new TheoryData<string, string, string>();
        foreach (var entry in All().Where(entry => !entry.IsDora))
            foreach (var multiplier in s_multipliers) data.Add(entry.Name, entry.Module, multiplier);
        return data;
    }

    [Fact]
    public void Cases_CoverLinearConvolutionsAndTucker()
    {
        var modules = Cases().Select(row => ((string)row[0], (string)row[1])).Distinct().ToList();
        Assert.Equal(8, modules.Count);
        Assert.Contains(("loha_tucker", "conv3s2"), modules);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void LoHa_LoadedFromAFile_ComputesAsTheReference(string name, string module, string multiplier)
    {
        using var scope = NewDisposeScope();
        var entry = All().Single(entry => (entry.Name, entry.Module) == (name, module));
        var (at, tolerance) = ($"{name}/{module}", module == "linear" ? LinearTolerance : ConvolutionTolerance);
        var strength = float.Parse(multiplier, System.Globalization.CultureInfo.InvariantCulture);
        using var layer = ReferenceLayers.Make(_base, module);
        using var model = ModelTree.Of(layer);
        using var network = AdapterNetwork.FromFile(Save(entry), new AdapterHosts(model), strength);
        Assert.Equal(entry.Saved.Order(), network.NamedTensors().Select(tensor => tensor.Name["lora_unet_test.".Length..]).Order());

        var x = _base[$"{module}/x"].clone().requires_grad_(true);
        var y = layer.call(x);
        _cases.AssertClose($"{at}/y@{multiplier}", y, tolerance);
        using (no_grad()) _cases.AssertClose($"{at}/y@{multiplier}", layer.call(x), tolerance);
        var term = network.Adapters[0].call(x) * strength;
        _cases.AssertClose($"{at}/y@{multiplier}", _base[$"{module}/y_base"] + term, tolerance);

        Gradients.Backward((y * _base[$"{module}/grad_y"]).sum());
        AssertGradient($"{at}/grad@{multiplier}/x", x.grad!, tolerance);
        foreach (var trained in entry.IsFolded ? [] : entry.Trainable)
        {
            var gradient = network.NamedParameters().Single(p => p.Name.EndsWith(trained, StringComparison.Ordinal)).Parameter.grad!;
            // Finite differences (LoHaBehaviorTests) say which of the two is right.
            var isDefective = entry.IsTucker && trained.EndsWith("_a", StringComparison.Ordinal);
            AssertGradient($"{at}/grad@{multiplier}/{trained}", isDefective ? Defective(entry, trained, strength) : gradient, tolerance);
        }

        network.Merge();
        // The reference's merge multiplies by the scale twice, which is a defect: its change of the weight is ours times the scale.
        var change = (_cases[$"{at}/merged@{multiplier}"] - _base[$"{module}/weight"]) / entry.Scale;
        if (!entry.IsFolded)
            GoldenComparison.AssertClose($"{at}/merged", _base[$"{module}/weight"] + change, network.Adapters[0].Layer.Weight, tolerance);
        _cases.AssertClose($"{at}/y@{multiplier}", layer.call(x), tolerance);
    }

    [Fact]
    public void LoHa_WithDora_IsRefusedByName()
    {
        using var scope = NewDisposeScope();
        var entry = All().First(entry => entry.IsDora);
        using var model = ModelTree.Of(ReferenceLayers.Make(_base, entry.Module));
        Assert.Contains("DoRA",
            Assert.Throws<InvalidFileException>(() => AdapterNetwork.FromFile(Save(entry), new AdapterHosts(model))).Message);
    }

    /// <summary>
    /// The gradient of A₁ (or A₂) as LyCORIS' own backward pass computes it with Tucker: with T₂ and B₂ where T₁ and B₁ belong, and the
    /// other way round. A defect of the reference; the other gradients are right.
    /// </summary>
    private Tensor Defective(Case entry, string factor, float multiplier)
    {
        var at = $"{entry.Name}/{entry.Module}/saved";
        var other = factor == "hada_w1_a" ? 2 : 1;
        var (core, a, b) = (_cases[$"{at}/hada_t{other}"], _cases[$"{at}/hada_w{other}_a"], _cases[$"{at}/hada_w{other}_b"]);
        var half = einsum("p q h w, q i -> p i h w", core, b);
        var full = einsum("p i h w, p o -> o i h w", half, a);
        using var layer = ReferenceLayers.Make(_base, entry.Module);
        var delta = zeros_like(full).requires_grad_();
        var term = LayerShape.Of(layer)!.Apply(_base[$"{entry.Module}/x"], delta) * multiplier;
        (term * _base[$"{entry.Module}/grad_y"]).sum().backward();
        return einsum("p i h w, o i h w -> p o", half, full * delta.grad! * entry.Scale);
    }

    /// <summary>Gradients are sums over a whole batch: the relative part of the tolerance counts as well.</summary>
    private void AssertGradient(string name, Tensor actual, double tolerance)
    {
        using var largest = _cases[name].abs().max();
        _cases.AssertClose(name, actual, tolerance + 1e-4 * largest.item<float>());
    }

    private string Save(Case entry)
    {
        var path = _folder.File("loha.safetensors");
        StateDictWriter.Save(path,
            entry.Saved.Select(name => ($"lora_unet_test.{name}", _cases[$"{entry.Name}/{entry.Module}/saved/{name}"])));
        return path;
    }
}
