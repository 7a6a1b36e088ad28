using StableTune.Models;
using StableTune.Testing;

namespace StableTune.Checkpoints.Tests.Saving;

/// <summary>Saving that cannot work, or is interrupted: nothing is left behind, and what was there stays.</summary>
public sealed class ModelSaverFaultTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly StableDiffusionModel _model;
    private readonly string _target;

    public ModelSaverFaultTests()
    {
        _model = ModelLoader.Load(FixtureModels.TinySd15(_folder), new ModelLoadOptions { WeightType = ScalarType.Float16 });
        _target = _folder.File("target", "model");
        Directory.CreateDirectory(_folder.File("target"));
    }

    public void Dispose()
    {
        _model.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void Save_OverAModel_ReplacesItAndKeepsWhatIsNotTheModels()
    {
        _model.SaveAs(_target);
        File.WriteAllText(Path.Combine(_target, "README.md"), "mine");
        File.WriteAllText(Path.Combine(_target, "unet", "diffusion_pytorch_model.bin"), "older weights");
        _model.SaveAs(_target, new ModelSaveOptions { Precision = ScalarType.Float32, Overwrite = true });

        Assert.Equal("mine", File.ReadAllText(Path.Combine(_target, "README.md")));
        Assert.False(File.Exists(Path.Combine(_target, "unet", "diffusion_pytorch_model.bin")));
        Assert.Contains("F32", StoredTensors.Of(Path.Combine(_target, "unet", "diffusion_pytorch_model.safetensors"))[0].Content);
        Assert.Equal([_target], Directory.EnumerateFileSystemEntries(_folder.File("target")));
    }

    [Fact]
    public void Save_OverAModel_WithoutOverwrite_IsRefused()
    {
        _model.SaveAs(_target);
        var fault = Assert.Throws<InvalidOptionsException>(() => _model.SaveAs(_target));
        Assert.Contains("there is such a model already", fault.Message);
    }

    [Fact]
    public void Save_OverAFolderOfSomethingElse_IsRefused()
    {
        Directory.CreateDirectory(_target);
        File.WriteAllText(Path.Combine(_target, "thesis.txt"), "years of work");
        Assert.Contains("something else than a model", Assert.Throws<InvalidOptionsException>(() => _model.SaveAs(_target)).Message);
        Assert.Equal("years of work", File.ReadAllText(Path.Combine(_target, "thesis.txt")));
    }

    [Fact]
    public void Save_WhereAFileStands_IsRefused()
    {
        File.WriteAllText(_target, "a file");
        Assert.Contains("a file stands", Assert.Throws<InvalidOptionsException>(() => _model.SaveAs(_target)).Message);
        Assert.Equal("a file", File.ReadAllText(_target));
    }

    public static TheoryData<string, ModelSaveOptions> Impossible() => new()
    {
        { "float32, float16 or bfloat16", new ModelSaveOptions { Precision = ScalarType.Int64 } },
        { "float32, float16 or bfloat16", new ModelSaveOptions { VaePrecision = ScalarType.Float64 } },
        { "variant is a part of a file's name", new ModelSaveOptions { Variant = "../fp16" } },
        { "at least one byte", new ModelSaveOptions { MaxShardBytes = 0 } },
        { "no such picture", new ModelSaveOptions { Thumbnail = "no-such.png" } },
        { "are computed", new ModelSaveOptions { Metadata = new Dictionary<string, string> { ["modelspec.hash_sha256"] = "0x0" } } },
        { "the format is not known", new ModelSaveOptions { Format = (ModelFormat)17 } },
        { "cannot be negative", new ModelSaveOptions { Steps = -1 } },
        { "must be positive", new ModelSaveOptions { Resolution = (0, 512) } },
    };

    [Theory]
    [MemberData(nameof(Impossible))]
    public void Save_WithImpossibleOptions_SaysWhichAndWritesNothing(string message, ModelSaveOptions options)
    {
        Assert.Contains(message, Assert.Throws<InvalidOptionsException>(() => _model.SaveAs(_target, options)).Message);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_folder.File("target")));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Save_CancelledOrOnAFullDisk_LeavesTheOldFolderAndNothingElse(bool diskFull)
    {
        _model.SaveAs(_target);
        var before = Snapshot();
        using var source = new CancellationTokenSource();
        var half = new Listener(progress =>
        {
            if (progress.Done * 2 < progress.Total) return;
            if (diskFull) throw new IOException("No space left on device");
            source.Cancel();
        });
        var options = new ModelSaveOptions { Precision = ScalarType.Float32, Progress = half, Overwrite = true };
        if (diskFull) Assert.Throws<IOException>(() => _model.SaveAs(_target, options));
        else Assert.Throws<OperationCanceledException>(() => _model.SaveAs(_target, options, source.Token));

        Assert.Equal(before, Snapshot());
    }

    [Fact]
    public void Save_Progress_RisesToTheWholeSize()
    {
        var seen = new List<WorkProgress>();
        _model.SaveAs(_target, new ModelSaveOptions { Progress = new Listener(seen.Add) });
        Assert.All(seen, progress => Assert.Equal(("saving", 4), (progress.Stage, progress.Total)));
        Assert.Equal(Enumerable.Range(0, 5), seen.Select(progress => progress.Done));
    }

    [Fact]
    public void Save_AfterAllPartsWereReleased_SaysSo()
    {
        _model.ReleaseUNet();
        _model.ReleaseVae();
        _model.ReleaseTextEncoder();
        Assert.Contains("no parts", Assert.Throws<InvalidOperationException>(() => _model.SaveAs(_target)).Message);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_folder.File("target")));
    }

    [Fact]
    public void Save_OntoTheFolderItIsMappedFrom_IsSafe()
    {
        _model.SaveAs(_target);
        var weights = Path.Combine(_target, "unet", "diffusion_pytorch_model.safetensors");
        var before = StoredTensors.Of(weights);
        using (var mapped = ModelLoader.Load(
            _target, new ModelLoadOptions { WeightType = ScalarType.Float16, Storage = Tensors.WeightStorage.Mapped }))
        {
            mapped.SaveAs(_target, new ModelSaveOptions { Overwrite = true });
            mapped.SaveAs(_target, new ModelSaveOptions { Overwrite = true });
        }

        Assert.Equal(before, StoredTensors.Of(weights));
    }

    [Fact]
    public void Check_ReportsWithoutWriting()
    {
        Assert.Empty(ModelSaver.Check(_target));
        Assert.Contains("a file stands",
            Assert.Single(ModelSaver.Check(
            Path.Combine(_folder.File("tiny-sd15"), "model_index.json"), sourceFormat: ModelFormat.Diffusers)).Rule);
        Assert.Contains("does not fit",
            Assert.Single(ModelSaver.Check(_target + ".ckpt", new ModelSaveOptions { Format = ModelFormat.Safetensors })).Rule);
        Assert.Contains("misleads", Assert.Single(
            ModelSaver.Check(_target + ".ckpt", new ModelSaveOptions { Format = ModelFormat.Diffusers })).Rule);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_folder.File("target")));
    }

    private List<(string, string)> Snapshot() => [.. Directory.EnumerateFiles(_folder.File("target"), "*", SearchOption.AllDirectories)
        .Order(StringComparer.Ordinal).Select(path => (path, Formats.WeightHashes.Sha256(path)))];

    private sealed class Listener(Action<WorkProgress> act) : IProgress<WorkProgress>
    {
        public void Report(WorkProgress value) => act(value);
    }
}
