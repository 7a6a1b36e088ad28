using System.Runtime.InteropServices;
using System.Text.Json;
using StableTune.Formats;
using StableTune.Testing;

namespace StableTune.Samples.Tests;

/// <summary>The small samples do what they show.</summary>
public sealed class SmallSampleTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task TomlRun_TrainsWhatTheFileSays_AndTheCommandLineGoesBeforeIt()
    {
        var text = await Succeeds("TomlRun", _folder.File("out"), "--max_train_steps", "3", "--network_dim", "2");
        Assert.Contains("steps     3", text);
        using var file = SafetensorsFile.Open(_folder.File("out", "frog.safetensors"));
        Assert.Equal(("2", "3", "5.0"),
            (file.Metadata["ss_network_dim"], file.Metadata["ss_steps"], file.Metadata["ss_min_snr_gamma"]));
        Assert.Contains("network_dim = 2", File.ReadAllText(_folder.File("out", "understood.toml")));

        var wrong = await SampleProgram.Run("TomlRun", _folder.File("out"), "--network_dimm", "2");
        Assert.Equal(2, wrong.ExitCode);
        Assert.Contains("network_dim", wrong.Text);
    }

    [Fact]
    public async Task OwnDataset_TrainsOnTheArchive()
    {
        var text = await Succeeds("OwnDataset", _folder.File("out"));
        Assert.Contains("8 images, 16 with repeats", text);
        Assert.Contains("4 steps", text);
        Assert.True(File.Exists(_folder.File("out", "frog.safetensors")));
    }

    [Fact]
    public async Task OwnSaver_EntersEachResult_AndRefusesARegisterThatIsNone()
    {
        await Succeeds("OwnSaver", _folder.File("out"));
        var register = _folder.File("out", "register.json");
        var entries = JsonDocument.Parse(File.ReadAllText(register)).RootElement.EnumerateArray().ToList();
        Assert.Equal([("Step", 2), ("Step", 4), ("End", 4)],
            entries.Select(entry => (entry.GetProperty("Reason").GetString()!, entry.GetProperty("Step").GetInt32())));
        foreach (var entry in entries)
        {
            var bytes = File.ReadAllBytes(entry.GetProperty("File").GetString()!);
            Assert.Equal(Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(bytes)),
                entry.GetProperty("Sha256").GetString());
        }

        File.WriteAllText(register, "{ this is no register");
        var wrong = await SampleProgram.Run("OwnSaver", _folder.File("out"));
        Assert.Equal(2, wrong.ExitCode);
        Assert.Contains("RegisterSaver.path", wrong.Text);
    }

    [Fact]
    public async Task MergeAndExtract_GetsBackWhatWasMerged()
    {
        await Succeeds("MergeAndExtract", _folder.File("out"));
        string Path(string name) => _folder.File("out", name + ".safetensors");
        Assert.True(Directory.Exists(_folder.File("out", "merged", "unet")));
        foreach (var name in new[] { "small", "both" }) Assert.True(new FileInfo(Path(name)).Length > 0);
        // The product of the factors is the same, though the factors are others.
        using var scope = NewDisposeScope();
        var (trained, extracted) = (Deltas(Path("frog")), Deltas(Path("extracted")));
        Assert.NotEmpty(extracted);
        foreach (var (layer, delta) in extracted)
        {
            var far = (delta - trained[layer]).norm().item<float>() / Math.Max(1e-6f, trained[layer].norm().item<float>());
            Assert.True(far < 0.02, $"{layer} differs by {far:P1}");
        }
    }

    [Fact]
    public async Task OwnModel_AndAdaptersOnly_SaveWhatACopyAnswersLike()
    {
        Assert.Contains("differs by 0", await Succeeds("OwnModel", _folder.File("own.safetensors")));
        Assert.Contains("differs by 0", await Succeeds("AdaptersOnly", _folder.File("out")));
        // What it stands on is what it says.
        var loaded = Directory.GetFiles(
            System.IO.Path.GetDirectoryName(SampleProgram.Start("AdaptersOnly").ArgumentList[0])!, "StableTune.*.dll")
            .Select(System.IO.Path.GetFileNameWithoutExtension).ToList();
        Assert.DoesNotContain("StableTune.Training", loaded);
        Assert.DoesNotContain("StableTune.Data", loaded);
    }

    private static Dictionary<string, Tensor> Deltas(string path)
    {
        const string up = ".lora_up.weight";
        using var file = SafetensorsFile.Open(path);
        Tensor Read(string name)
        {
            var info = file.Tensors.Single(entry => entry.Name == name);
            Assert.Equal(TensorDType.F32, info.DType);
            return tensor(MemoryMarshal.Cast<byte, float>(file.Span(name)).ToArray()).reshape([.. info.Shape]);
        }

        return file.Tensors.Where(entry => entry.Name.EndsWith(up, StringComparison.Ordinal)).Select(entry => entry.Name[..^up.Length])
            .ToDictionary(layer => layer, layer =>
            {
                var (rows, columns) = (Read(layer + up).flatten(1), Read(layer + ".lora_down.weight").flatten(1));
                return rows.matmul(columns) * (Read(layer + ".alpha").item<float>() / columns.shape[0]);
            });
    }

    private static async Task<string> Succeeds(string sample, params string[] arguments)
    {
        var run = await SampleProgram.Run(sample, arguments);
        Assert.True(run.ExitCode == 0, run.Text);
        return run.Text;
    }
}
