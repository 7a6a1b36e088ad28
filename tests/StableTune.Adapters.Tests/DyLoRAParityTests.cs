using System.Globalization;

namespace StableTune.Adapters.Tests;

/// <summary>DyLoRA of LyCORIS and of sd-scripts, each unit drawn in turn, at the tolerances of the fixtures' README.</summary>
public sealed class DyLoRAParityTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly Golden _base = Golden.Open("networks", "base.safetensors");
    private readonly Golden _lycoris = Golden.Open("networks", "lycoris.safetensors");
    private readonly Golden _sdScripts = Golden.Open("networks", "sdscripts.safetensors");

    public void Dispose()
    {
        _base.Dispose();
        _lycoris.Dispose();
        _sdScripts.Dispose();
        _folder.Dispose();
    }

    public static TheoryData<string> Cases() => [.. All.Select(entry => entry.Id)];

    private static List<RecordedCase> All =>
        [.. RecordedCase.All.Where(entry => entry.Name.StartsWith("dylora", StringComparison.Ordinal))];

    [Fact]
    public void Cases_AreAllThere() => Assert.Equal(2 + 6, All.Count);

    [Theory]
    [MemberData(nameof(Cases))]
    public void DyLoRA_WithEachUnitDrawn_ComputesAsTheReference(string id)
    {
        using var scope = NewDisposeScope();
        var entry = RecordedCase.Find(id);
        var (golden, options) = (entry.IsLycoris ? _lycoris : _sdScripts, (DyLoRAOptions)entry.Options);
        var tolerance = entry.Module == "linear" ? 2e-5 : 5e-5;
        using var layer = ReferenceLayers.Make(_base, entry.Module);
        using var model = ModelTree.Of(layer);
        using var network = AdapterNetwork.Attach(new AdapterHosts(model), options, new Generator(0));
        var units = options.Rank / options.Unit;
        using (no_grad())
            foreach (var (name, parameter, _) in network.NamedParameters())
                parameter.copy_(Unit(entry, options.Unit, golden, "param", name).reshape(parameter.shape));
        Assert.Equal(2 * units, network.NamedParameters().Count());

        var adapter = (DyLoRAAdapter)network.Adapters[0];
        network.BeginStep(new Generator(1));
        Tensor? first = null;
        for (var drawn = 0; drawn < units; drawn++)
        {
            var unit = drawn;
            adapter.DrawUnit = (count, _) =>
            {
                Assert.Equal(units, count);
                return unit;
            };
            foreach (var (_, parameter, _) in network.NamedParameters()) parameter.grad = null;
            var y = layer.call(_base[$"{entry.Module}/x"]);
            Gradients.Backward((y * _base[$"{entry.Module}/grad_y"]).sum());
            var mark = entry.IsLycoris ? $"block{drawn}" : $"rank{drawn * options.Unit}";
            // sd-scripts' outputs were recorded on a layer that was not recorded: it is the same one for all draws.
            first ??= y.detach() - golden[$"{entry.At}/y_{mark}"];
            if (entry.IsLycoris) golden.AssertClose($"{entry.At}/y_{mark}", y, tolerance);
            else GoldenComparison.AssertClose($"y_{mark}", golden[$"{entry.At}/y_{mark}"], y.detach() - first, 2 * tolerance);
            foreach (var (name, parameter, _) in network.NamedParameters())
            {
                var isDrawn = name.EndsWith($".{drawn}", StringComparison.Ordinal);
                Assert.Equal(isDrawn, parameter.grad is not null);
                if (!isDrawn) continue;
                var expected = Unit(entry, options.Unit, golden, $"grad_{mark}", name).reshape(parameter.shape);
                GoldenComparison.AssertClose(name, expected, parameter.grad!, tolerance + 1e-4 * expected.abs().max().item<float>());
            }
        }
    }

    /// <summary>
    /// LyCORIS' files say alpha / rank where training computed alpha / units: ours hold alpha · unit, and compute the same.
    /// </summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void SavedTensors_AreALoRAs_ThatComputesWhatWasTrained(string id)
    {
        using var scope = NewDisposeScope();
        var entry = RecordedCase.Find(id);
        var (golden, options) = (entry.IsLycoris ? _lycoris : _sdScripts, (DyLoRAOptions)entry.Options);
        using var layer = ReferenceLayers.Make(_base, entry.Module);
        using var model = ModelTree.Of(layer);
        using var network = AdapterNetwork.Attach(new AdapterHosts(model), options, new Generator(0));
        using (no_grad())
            foreach (var (name, parameter, _) in network.NamedParameters())
                parameter.copy_(Unit(entry, options.Unit, golden, "param", name).reshape(parameter.shape));
        var saved = network.Adapters[0].SavedTensors();
        Assert.Equal(entry.SavedKeys.Order(), saved.Keys.Order());
        foreach (var (name, tensor) in saved)
        {
            var factor = name == "alpha" && entry.IsLycoris ? options.Unit : 1;
            GoldenComparison.AssertClose(name, golden[$"{entry.At}/saved/{name}"].reshape(tensor.shape) * factor, tensor, 0);
        }

        network.SetTraining(false);
        var y = layer.call(_base[$"{entry.Module}/x"]);
        if (entry.IsLycoris)
            golden.AssertClose($"{entry.At}/y_block{options.Rank / options.Unit - 1}", y, entry.Module == "linear" ? 2e-5 : 5e-5);
        network.Save(_folder.File("dylora.safetensors"));
        network.Detach();
        using var read = AdapterNetwork.FromFile(_folder.File("dylora.safetensors"), new AdapterHosts(model));
        Assert.Equal("LoRAAdapter", read.Adapters[0].GetName());
        GoldenComparison.AssertClose("as LoRA", y, layer.call(_base[$"{entry.Module}/x"]), 1e-6);
        read.Detach();

        using var again = AdapterNetwork.Attach(new AdapterHosts(model), options, new Generator(5));
        again.Load(_folder.File("dylora.safetensors"));
        again.SetTraining(false);
        GoldenComparison.AssertClose("as DyLoRA", y, layer.call(_base[$"{entry.Module}/x"]), 0);
    }

    /// <summary>
    /// The unit of one of our parameters in the reference's names: <c>up_list.1</c>, or <c>lora_B.2</c> and the following; those of
    /// convolutions are recorded as matrices.
    /// </summary>
    private static Tensor Unit(RecordedCase entry, int unit, Golden golden, string group, string name)
    {
        var parts = name.Split('.');
        if (entry.IsLycoris) return golden[$"{entry.At}/{group}/{parts[^2]}.{parts[^1]}"];
        var (isUp, begin) = (parts[^2] == "up_list", int.Parse(parts[^1], CultureInfo.InvariantCulture) * unit);
        var ranks = Enumerable.Range(begin, unit).Select(rank => golden[$"{entry.At}/{group}/lora_{(isUp ? "B" : "A")}.{rank}"]).ToList();
        return cat(ranks, isUp ? 1 : 0);
    }
}
