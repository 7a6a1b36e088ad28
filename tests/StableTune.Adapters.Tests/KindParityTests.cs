using System.Globalization;

namespace StableTune.Adapters.Tests;

/// <summary>
/// Every kind of adapter against the modules of LyCORIS and sd-scripts: outputs, gradients, merged weights, saved tensors and limited norms
/// of all recorded cases, at the tolerances of the fixtures' README.
/// </summary>
public sealed class KindParityTests : IDisposable
{
    // rtol 1e-4, atol 2e-5, convolutions 5e-5: outputs and weights are of the order of 1 and are held to the absolute part alone.
    private const double LinearTolerance = 2e-5, ConvolutionTolerance = 5e-5;

    private static readonly string[] s_multipliers = ["1.0", "0.6"];

    /// <summary>Cases that are compared elsewhere, or in another way, with the reason.</summary>
    private static readonly Dictionary<string, string> s_others = new()
    {
        ["lycoris:full_pinned"] = "the reference's forward pass fails; FullPinned_SavedKeys compares what it saves",
        ["lycoris:boft_dim4"] = "the reference cannot be constructed; Boft_ThatCannotDivide_IsRefused",
        ["lycoris:dylora"] = "what it computes depends on what is drawn: DyLoRAParityTests",
        ["sdscripts:dylora_unit1"] = "as above", ["sdscripts:dylora_unit2"] = "as above",
        ["sdscripts:rank_dropout"] = "with a recorded mask: LoRAParityTests",
        ["sdscripts:lora"] = "recorded on a layer that was not recorded: LoRAParityTests compares differences",
        ["sdscripts:lora_alpha0"] = "as above", ["sdscripts:lora_dim8"] = "as above", ["sdscripts:lora_fa"] = "as above",
        ["sdscripts:oft"] = "as above: OftParityTests", ["sdscripts:oft_loose"] = "as above",
    };

    private readonly TemporaryFolder _folder = new();
    private readonly Golden _base = Golden.Open("networks", "base.safetensors");
    private readonly Golden _cases = Golden.Open("networks", "lycoris.safetensors");

    public void Dispose()
    {
        _base.Dispose();
        _cases.Dispose();
        _folder.Dispose();
    }

    public static TheoryData<string> Cases() => [.. Here.Select(entry => entry.Id)];

    public static TheoryData<string> NormCases() =>
        [.. Here.Where(entry => entry.NormLimits.Any()).Select(entry => entry.Id)];

    private static List<RecordedCase> Here => [.. RecordedCase.All.Where(IsHere)];

    private static bool IsHere(RecordedCase entry) => !s_others.ContainsKey($"{entry.File}:{entry.Name}");

    [Fact]
    public void Cases_AreAllHere_OrAccountedFor()
    {
        Assert.Equal(101 + 22, RecordedCase.All.Count);
        Assert.All(s_others.Keys, name => Assert.Contains(RecordedCase.All, entry => $"{entry.File}:{entry.Name}" == name));
        Assert.Equal(RecordedCase.All.Count, Here.Count + RecordedCase.All.Count(entry => !IsHere(entry)));
        Assert.Equal(97, Here.Count);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Adapter_WithTheRecordedParameters_ComputesAsTheReference(string id)
    {
        using var scope = NewDisposeScope();
        var (entry, tolerance) = (RecordedCase.Find(id), Tolerance(id));
        using var layer = ReferenceLayers.Make(_base, entry.Module);
        using var network = AttachRecorded(entry, layer);
        foreach (var multiplier in s_multipliers)
        {
            network.SetMultiplier(Parse(multiplier));
            foreach (var (_, parameter, _) in network.NamedParameters()) parameter.grad = null;
            var x = _base[$"{entry.Module}/x"].clone().requires_grad_(true);
            var y = layer.call(x);
            _cases.AssertClose($"{entry.At}/y@{multiplier}", y, tolerance);
            using (no_grad()) _cases.AssertClose($"{entry.At}/y@{multiplier}", layer.call(x), tolerance);
            var gradients = $"{entry.At}/grad@{multiplier}";
            if (_cases.Contains($"{gradients}/x"))
            {
                Gradients.Backward((y * _base[$"{entry.Module}/grad_y"]).sum());
                AssertGradient($"{gradients}/x", x.grad!, tolerance);
                foreach (var (name, parameter) in Recorded(entry, network))
                {
                    var isDefective = entry.At.StartsWith("loha_tucker", StringComparison.Ordinal)
                        && name.EndsWith("_a", StringComparison.Ordinal);
                    AssertGradient($"{gradients}/{name}",
                        isDefective ? Defective(entry, name, Parse(multiplier)) : parameter.grad!, tolerance);
                }
            }

            AssertMerged(entry, network.Adapters[0], multiplier, tolerance);
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void SavedTensors_AreTheReferences_AndLoadBack(string id)
    {
        using var scope = NewDisposeScope();
        var (entry, tolerance) = (RecordedCase.Find(id), Tolerance(id));
        using var layer = ReferenceLayers.Make(_base, entry.Module);
        using (var network = AttachRecorded(entry, layer))
        {
            var saved = network.Adapters[0].SavedTensors();
            Assert.Equal(entry.SavedKeys.Order(), saved.Keys.Order());
            Assert.All(saved, tensor => GoldenComparison.AssertClose(tensor.Key, Saved(entry, tensor.Key), tensor.Value, 1e-6));
            network.Save(_folder.File("saved.safetensors"));
        }

        var x = _base[$"{entry.Module}/x"];
        foreach (var (path, multiplier) in new[] { (Save(entry), "1.0"), (_folder.File("saved.safetensors"), "0.6") })
        {
            using var frozen = no_grad();
            using var network = AdapterNetwork.FromFile(path, new AdapterHosts(ModelTree.Of(layer)), Parse(multiplier));
            Assert.Equal(entry.SavedKeys.Order(), network.SavedTensors().Select(tensor => tensor.Name["lora_unet_test.".Length..]).Order());
            _cases.AssertClose($"{entry.At}/y@{multiplier}", layer.call(x), tolerance);
            var (weight, bias) = (network.Adapters[0].Layer.Weight.clone(), network.Adapters[0].Layer.Bias?.clone());
            network.Merge(keepOriginals: true);
            _cases.AssertClose($"{entry.At}/y@{multiplier}", layer.call(x), tolerance);
            network.Unmerge();
            Assert.True(weight.Equals(network.Adapters[0].Layer.Weight));
            Assert.True(bias is null || bias.Equals(network.Adapters[0].Layer.Bias!));
        }
    }

    [Theory]
    [MemberData(nameof(NormCases))]
    public void LimitNorm_GivesTheReferencesNorms(string id)
    {
        using var scope = NewDisposeScope();
        var (entry, tolerance) = (RecordedCase.Find(id), Tolerance(id));
        using var layer = ReferenceLayers.Make(_base, entry.Module);
        foreach (var (limit, isScaled, norm) in entry.NormLimits)
        {
            using var network = AttachRecorded(entry, layer);
            var report = network.Adapters[0].LimitNorm(limit)!.Value;
            Assert.Equal(isScaled, report.IsScaled);
            // LoKr's norm leaves the scalar out in the reference, which makes it the norm of nothing that acts.
            var scalar = entry.HasScalar && entry.Class.EndsWith(".LokrModule", StringComparison.Ordinal)
                ? _cases[$"{entry.At}/param/scalar"].item<float>() : 1;
            Assert.Equal(norm * scalar, report.Norm, 1e-5 * Math.Max(1, norm));
            if (limit != 1) continue;
            // The ratio is spread over the factors in another way than LyCORIS': the products agree.
            var file = Save(entry, "maxnorm1");
            network.Detach();
            using var limited = AdapterNetwork.FromFile(file, new AdapterHosts(ModelTree.Of(layer)));
            GoldenComparison.AssertClose("ΔW", Delta(limited), Delta(network), tolerance);
        }
    }

    [Fact]
    public void FullPinned_SavedKeys_AreOurs()
    {
        using var scope = NewDisposeScope();
        var entry = RecordedCase.Find("lycoris:full_pinned/linear");
        using var layer = ReferenceLayers.Make(_base, entry.Module);
        using var network = AttachRecorded(entry, layer);
        Assert.Equal(entry.SavedKeys.Order(), network.Adapters[0].SavedTensors().Keys.Order());
    }

    [Fact]
    public void Boft_ThatCannotDivide_IsRefused()
    {
        using var scope = NewDisposeScope();
        var entry = RecordedCase.Find("lycoris:boft_dim4/linear");
        Assert.Equal("ValueError", entry.Json.GetProperty("construction_error").GetProperty("error").GetString());
        using var layer = ReferenceLayers.Make(_base, entry.Module);
        var fault = Assert.Throws<InvalidOptionsException>(() =>
            AdapterNetwork.Attach(new AdapterHosts(ModelTree.Of(layer)), entry.Options, new Generator(0)));
        Assert.Contains("BoftOptions.Rank is 4: no even size up to it divides 48 outputs", fault.Message);
    }

    /// <summary>An adapter with the recorded arguments and parameters.</summary>
    private AdapterNetwork AttachRecorded(RecordedCase entry, nn.Module<Tensor, Tensor> layer)
    {
        var network = AdapterNetwork.Attach(new AdapterHosts(ModelTree.Of(layer)), entry.Options, new Generator(0));
        using var frozen = no_grad();
        foreach (var (name, parameter) in Recorded(entry, network)) parameter.copy_(_cases[$"{entry.At}/param/{name}"]);
        return network;
    }

    /// <summary>The parameters by the reference's names; there must be as many as were recorded.</summary>
    private List<(string Name, TorchSharp.Modules.Parameter Parameter)> Recorded(RecordedCase entry, AdapterNetwork network)
    {
        string[] names = [.. entry.Json.GetProperty("trainable").EnumerateObject().Select(parameter => parameter.Name)];
        var own = network.NamedParameters().ToDictionary(p => p.Name["lora_unet_test.".Length..], p => p.Parameter);
        Assert.Equal(names.Select(entry.OwnName).Order(), own.Keys.Order());
        Assert.All(names, name => Assert.Equal(_cases[$"{entry.At}/param/{name}"].shape, own[entry.OwnName(name)].shape));
        return [.. names.Select(name => (name, own[entry.OwnName(name)]))];
    }

    private void AssertMerged(RecordedCase entry, NetworkAdapter adapter, string multiplier, double tolerance)
    {
        var weight = _base[$"{entry.Module}/weight"];
        var merged = weight + adapter.DeltaWeight(weight, Parse(multiplier));
        var expected = _cases[$"{entry.At}/merged@{multiplier}"];
        // The reference's merge of LoHa and LoKr multiplies by the scale twice, which is a defect: its change is ours times the scale.
        var isTwice = entry.Class.Split('.')[^1] is "LohaModule" or "LokrModule";
        if (isTwice && entry.Scale != 1)
        {
            if (entry.IsDora) return;                                         // there it lies inside the norm, and cannot be taken out
            expected = weight + (expected - weight) / entry.Scale;
        }

        // Nor does its merge know of the scalar.
        if (isTwice && entry.HasScalar) expected = weight + (expected - weight) * _cases[$"{entry.At}/param/scalar"];

        GoldenComparison.AssertClose($"{entry.At}/merged@{multiplier}", expected, merged, tolerance);
        if (_cases.Contains($"{entry.At}/merged_bias@{multiplier}"))
        {
            var bias = _base[$"{entry.Module}/bias"];
            _cases.AssertClose($"{entry.At}/merged_bias@{multiplier}", bias + adapter.DeltaBias(bias, Parse(multiplier))!, tolerance);
        }
    }

    /// <summary>
    /// The gradient of A₁ (or A₂) as LyCORIS' own backward pass computes it with Tucker: with T₂ and B₂ where T₁ and B₁ belong, and the
    /// other way round. A defect of the reference, as finite differences show (KindGradientTests); the other gradients are right.
    /// </summary>
    private Tensor Defective(RecordedCase entry, string factor, float multiplier)
    {
        var at = $"{entry.At}/saved";
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

    private static Tensor Delta(AdapterNetwork network) => network.Adapters[0].DeltaWeight(network.Adapters[0].Layer.Weight);

    /// <summary>Gradients are sums over a whole batch: the relative part of the tolerance counts as well.</summary>
    private void AssertGradient(string name, Tensor actual, double tolerance)
    {
        using var largest = _cases[name].abs().max();
        _cases.AssertClose(name, actual, tolerance + 1e-4 * largest.item<float>());
    }

    private static float Parse(string multiplier) => float.Parse(multiplier, CultureInfo.InvariantCulture);

    private static double Tolerance(string id) => id.Contains("/conv", StringComparison.Ordinal) ? ConvolutionTolerance : LinearTolerance;

    private string Save(RecordedCase entry, string source = "saved")
    {
        var path = _folder.File("reference.safetensors");
        Tensors.StateDictWriter.Save(path, entry.SavedKeys.Select(name =>
            ($"lora_unet_test.{name}", source == "saved" ? Saved(entry, name) : _cases[$"{entry.At}/{source}/{name}"])));
        return path;
    }

    /// <summary>
    /// What the reference saved. Its full differences were computed by one revision, where parameters are differences, and saved by
    /// another, where they are whole weights of which the frozen ones are subtracted: that is taken back.
    /// </summary>
    private Tensor Saved(RecordedCase entry, string name)
    {
        var saved = _cases[$"{entry.At}/saved/{name}"];
        if (entry.Name != "full") return saved;
        return saved + _base[$"{entry.Module}/{(name == "diff" ? "weight" : "bias")}"];
    }
}
