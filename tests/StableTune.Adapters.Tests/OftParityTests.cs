namespace StableTune.Adapters.Tests;

/// <summary>sd-scripts' OFT, at the tolerances of the fixtures' README.</summary>
/// <remarks>
/// Its outputs were recorded on a frozen layer that was not recorded (see <see cref="LoRAParityTests"/>). Outputs at two multipliers say
/// what that layer gave: y(m) = y₀ + m·T(y₀), so y₀ = y(1) − (y(1) − y(0.6)) / 0.4.
/// </remarks>
public sealed class OftParityTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly Golden _base = Golden.Open("networks", "base.safetensors");
    private readonly Golden _cases = Golden.Open("networks", "sdscripts.safetensors");

    public void Dispose()
    {
        _base.Dispose();
        _cases.Dispose();
        _folder.Dispose();
    }

    public static TheoryData<string> Cases() =>
        [.. RecordedCase.All.Where(entry => entry.Class == "networks.oft.OFTModule").Select(entry => entry.Id)];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Oft_LoadedFromAFile_TurnsAsTheReference(string id)
    {
        using var scope = NewDisposeScope();
        var entry = RecordedCase.Find(id);
        var tolerance = entry.Module == "linear" ? 2e-5 : 5e-5;
        using var layer = ReferenceLayers.Make(_base, entry.Module);
        using var model = ModelTree.Of(layer);
        using var network = AdapterNetwork.FromFile(Save(entry), new AdapterHosts(model));
        var saved = network.SavedTensors().ToDictionary(tensor => tensor.Name["oft_unet_test.".Length..], tensor => tensor.Tensor);
        Assert.Equal(entry.SavedKeys.Order(), saved.Keys.Order());
        Assert.All(saved, tensor => _cases.AssertEqual($"{entry.At}/saved/{tensor.Key}", tensor.Value));
        var options = (OftOptions)entry.Options;
        Assert.Equal(options.Constraint, saved["alpha"].item<float>());
        Assert.Equal(options.Blocks, saved["oft_blocks"].shape[0]);

        var (adapter, parameter) = (network.Adapters[0], network.NamedParameters().Single().Parameter);
        var plain = _cases[$"{entry.At}/y@1.0"] - (_cases[$"{entry.At}/y@1.0"] - _cases[$"{entry.At}/y@0.6"]) / 0.4;
        var weight = _base[$"{entry.Module}/weight"];
        foreach (var (mark, multiplier) in new[] { ("1.0", 1f), ("0.6", 0.6f) })
        {
            network.SetMultiplier(multiplier);
            parameter.grad = null;
            var y = adapter.Forward(_base[$"{entry.Module}/x"], _ => plain.clone());
            _cases.AssertClose($"{entry.At}/y@{mark}", y, 3 * tolerance);
            Gradients.Backward((y * _base[$"{entry.Module}/grad_y"]).sum());
            using var largest = _cases[$"{entry.At}/grad@{mark}/oft_blocks"].abs().max();
            _cases.AssertClose($"{entry.At}/grad@{mark}/oft_blocks", parameter.grad!, tolerance + 3e-4 * largest.item<float>());
            _cases.AssertClose($"{entry.At}/merged@{mark}", weight + adapter.DeltaWeight(weight, multiplier), tolerance);
        }
    }

    [Fact]
    public void Cases_AreAllThere() => Assert.Equal(6, RecordedCase.All.Count(entry => entry.Class == "networks.oft.OFTModule"));

    private string Save(RecordedCase entry)
    {
        var path = _folder.File("oft.safetensors");
        Tensors.StateDictWriter.Save(path,
            entry.SavedKeys.Select(name => ($"oft_unet_test.{name}", _cases[$"{entry.At}/saved/{name}"])));
        return path;
    }
}
