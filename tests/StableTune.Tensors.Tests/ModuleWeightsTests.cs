using StableTune.Formats;

namespace StableTune.Tensors.Tests;

public sealed class ModuleWeightsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>Two layers, a buffer of integers and one of floats.</summary>
    private sealed class Small : nn.Module<Tensor, Tensor>
    {
        public Linear first { get; }
        public Conv2d second { get; }

        public Small() : base(nameof(Small))
        {
            first = Linear(6, 4, hasBias: true);
            second = Conv2d(4, 2, 3, bias: false);
            register_module("first", first);
            register_module("second", second);
            register_buffer("positions", arange(5));
            register_buffer("scale", ones(3));
        }

        public override Tensor forward(Tensor input) => first.call(input);

        private static Linear Linear(long from, long to, bool hasBias) => new Linear(from, to, hasBias);
        private static Conv2d Conv2d(long from, long to, long kernel, bool bias) => new Conv2d(from, to, kernel, hasBias: bias);
    }

    private string SaveRandom(int seed, ScalarType? dtype = null, Func<string, string>? rename = null)
    {
        using var scope = NewDisposeScope();
        using var module = new Small();
        var generator = new Generator((ulong)seed);
        var path = _folder.File($"{seed}.safetensors");
        var tensors = module.state_dict().Select(entry => (rename?.Invoke(entry.Key) ?? entry.Key,
            entry.Value.dtype == ScalarType.Int64 ? entry.Value + seed : randn(entry.Value.shape, generator: generator)));
        StateDictWriter.Save(path, tensors.ToList(), dtype: dtype);
        return path;
    }

    [Theory]
    [InlineData(WeightStorage.Copied, null, null)]
    [InlineData(WeightStorage.Copied, ScalarType.Float16, null)]
    [InlineData(WeightStorage.Copied, ScalarType.Float16, ScalarType.BFloat16)]
    [InlineData(WeightStorage.Mapped, null, null)]
    [InlineData(WeightStorage.Mapped, ScalarType.BFloat16, ScalarType.BFloat16)]
    [InlineData(WeightStorage.Mapped, ScalarType.Float16, null)]
    public void LoadInto_MatchingFile_FillsTheModulesOwnTensors(WeightStorage storage, ScalarType? stored, ScalarType? wanted)
    {
        using var scope = NewDisposeScope();
        using var module = new Small();
        var weight = module.first.weight;
        weight.requires_grad = false;
        LoadReport report;
        var path = SaveRandom(7, stored);
        using (var file = WeightFile.Open(path))
            report = ModuleWeights.LoadInto(module, file, dtype: wanted, options: new ModuleLoadOptions { Storage = storage });

        Assert.True(report.IsComplete);
        Assert.Same(report, report.ThrowIfIncomplete());
        Assert.Same(weight, module.first.weight);
        Assert.False(weight.requires_grad);
        Assert.True(module.second.weight.requires_grad);
        using var golden = Golden.OpenFile(path);
        foreach (var (name, tensor) in module.state_dict())
        {
            Assert.Equal(name == "positions" ? ScalarType.Int64 : wanted ?? ScalarType.Float32, tensor.dtype);
            golden.AssertClose(name, tensor, wanted is ScalarType.BFloat16 && stored is ScalarType.Float16 ? 0.02 : 0);
        }
    }

    [Theory]
    [InlineData(WeightStorage.Copied, null)]
    [InlineData(WeightStorage.Mapped, null)]
    [InlineData(WeightStorage.Copied, ScalarType.Float16)]
    [InlineData(WeightStorage.Copied, ScalarType.BFloat16)]
    [InlineData(WeightStorage.Copied, ScalarType.Float64)]
    public void LoadInto_CheckNumbers_NamesTheTensorsThatHoldOthers(WeightStorage storage, ScalarType? wanted)
    {
        using var scope = NewDisposeScope();
        var path = _folder.File("broken.safetensors");
        using (var module = new Small())
        using (no_grad())
        {
            module.second.weight[^1, ^1, ^1, ^1] = float.NaN;
            module.first.weight[0, 0] = float.NegativeInfinity;
            // Finite in the file, and in every type but float16.
            module.first.bias![3] = 70_000;
            StateDictWriter.Save(path, module.state_dict().Select(entry => ("x." + entry.Key, entry.Value)).ToList());
        }

        using var file = WeightFile.Open(path);
        using var loaded = new Small();
        static string Rename(string name) => name[2..];
        var report = ModuleWeights.LoadInto(
            loaded, file, Rename, wanted, new ModuleLoadOptions { Storage = storage, CheckNumbers = true }).ThrowIfIncomplete();
        string[] everywhere = ["first.weight", "second.weight"];
        string[] broken = wanted == ScalarType.Float16 ? ["first.bias", .. everywhere] : everywhere;
        Assert.Equal(broken, report.NotFinite.Order(StringComparer.Ordinal));
        Assert.Empty(ModuleWeights.LoadInto(loaded, file, Rename, wanted, new ModuleLoadOptions { Storage = storage }).NotFinite);
    }

    /// <summary>Pieces of 8 MiB, of which a megabyte is looked at at a time.</summary>
    [Theory]
    [InlineData(WeightStorage.Copied)]
    [InlineData(WeightStorage.Mapped)]
    public void LoadInto_CheckNumbersOfALargeTensor_LooksAtItsLast(WeightStorage storage)
    {
        using var scope = NewDisposeScope();
        var path = _folder.File("large.safetensors");
        using (var module = new Linear(1500, 1501))
        using (no_grad())
        {
            module.weight[^1, ^1] = float.PositiveInfinity;
            StateDictWriter.Save(path, [.. module.state_dict().Select(entry => (entry.Key, entry.Value))]);
        }

        using var file = WeightFile.Open(path);
        using var loaded = new Linear(1500, 1501);
        var report = ModuleWeights.LoadInto(loaded, file, options: new ModuleLoadOptions { Storage = storage, CheckNumbers = true });
        Assert.Equal(["weight"], report.NotFinite);
    }

    [Fact]
    public void LoadInto_KeepStoredTypes_GivesEachWeightItsFilesType()
    {
        using var scope = NewDisposeScope();
        using var module = new Small();
        var path = _folder.File("mixed.safetensors");
        StateDictWriter.Save(path, module.state_dict().Select(entry => (entry.Key, entry.Value.dtype != ScalarType.Int64
            ? entry.Value.to(entry.Key.StartsWith("first", StringComparison.Ordinal) ? ScalarType.Float16 : ScalarType.BFloat16)
                : entry.Value)).ToList());
        using var file = WeightFile.Open(path);
        Assert.True(ModuleWeights.LoadInto(
            module, file, dtype: ScalarType.Float64, options: new ModuleLoadOptions { KeepStoredTypes = true }).IsComplete);
        Assert.Equal((ScalarType.Float16, ScalarType.BFloat16), (module.first.weight.dtype, module.second.weight.dtype));
        Assert.Equal(ScalarType.Int64, module.state_dict()["positions"].dtype);
    }

    [Fact]
    public void Compare_ModuleWithoutMemory_FindsWhatDoesNotFit()
    {
        using var scope = NewDisposeScope();
        using var skip = LayerInitialization.Skip(META);
        using var huge = new Linear(1 << 24, 1 << 24);      // 2^50 bytes
        var path = _folder.File("small.safetensors");
        StateDictWriter.Save(path, [("weight", zeros(4, 6)), ("bias", zeros(1 << 24))]);
        using var file = WeightFile.Open(path);
        Assert.Equal("weight: the model has [16777216, 16777216], the file [4, 6]",
            Assert.Single(ModuleWeights.Compare(huge, file).Mismatched).ToString());
    }

    [Fact]
    public void WeightsDoNotFit_ManyNames_CountsThemAndListsTheFirst()
    {
        var names = Enumerable.Range(0, 3000).Select(i => $"layer.{i}.weight").ToList();
        var error = new WeightsDoNotFitException(new LoadReport("model.safetensors", names, [], []));
        Assert.Contains("3000 missing", error.Message);
        Assert.Contains("layer.11.weight", error.Message);
        Assert.Contains("... and 2988 more", error.Message);
        Assert.DoesNotContain("layer.12.weight", error.Message);
        Assert.Equal(3000, error.Report.Missing.Count);
    }

    [Fact]
    public void LoadInto_Mapped_KeepsTheMapAndNeverChangesTheFile()
    {
        using var scope = NewDisposeScope();
        var path = SaveRandom(3);
        var before = File.ReadAllBytes(path);
        using (var module = new Small())
        {
            using (var file = WeightFile.Open(path))
                ModuleWeights.LoadInto(module, file, options: new ModuleLoadOptions { Storage = WeightStorage.Mapped });
            using (no_grad()) module.first.weight.add_(1);
            using var golden = Golden.OpenFile(path);
            GoldenComparison.AssertClose("first.weight", golden["first.weight"] + 1, module.first.weight, 0);
            using var output = module.call(ones(2, 6));
            output.sum().backward();
            Assert.NotNull(module.first.weight.grad);
        }

        Assert.Equal(before, File.ReadAllBytes(path));
    }

    [Fact]
    public void LoadInto_FileThatDoesNotFit_NamesEverythingAtOnce()
    {
        using var scope = NewDisposeScope();
        using var module = new Small();
        var path = _folder.File("other.safetensors");
        StateDictWriter.Save(path, [("first.weight", zeros(4, 6)), ("first.bias", zeros(5)), ("third.weight", zeros(1)),
            ("positions", arange(5))]);
        using var file = WeightFile.Open(path);
        var compared = ModuleWeights.Compare(module, file);
        var report = ModuleWeights.LoadInto(module, file);
        Assert.Equal(compared.Missing, report.Missing);
        Assert.Equal(["scale", "second.weight"], report.Missing.Order(StringComparer.Ordinal));
        Assert.Equal(["third.weight"], report.Unexpected);
        Assert.Equal("first.bias: the model has [4], the file [5]", Assert.Single(report.Mismatched).ToString());
        Assert.Equal(0, module.first.weight.abs().sum().item<float>());         // what fits is loaded all the same

        var fault = Assert.Throws<WeightsDoNotFitException>(() => report.ThrowIfIncomplete(allowUnexpected: true));
        Assert.All([path, "2 missing", "second.weight", "1 of another shape", "first.bias", "1 in the file but not in the model",
            "third.weight"],
            part => Assert.Contains(part, fault.Message));
        Assert.Same(report, fault.Report);
    }

    [Fact]
    public void LoadInto_Rename_MapsAndSkipsNames()
    {
        using var scope = NewDisposeScope();
        using var module = new Small();
        var path = SaveRandom(5, rename: name => "model." + name);
        using var file = WeightFile.Open(path);
        Assert.Equal(5, ModuleWeights.LoadInto(module, file).Unexpected.Count);
        Assert.True(ModuleWeights.LoadInto(module, file, name => name["model.".Length..]).IsComplete);
        var report = ModuleWeights.LoadInto(module, file, name =>
            name.EndsWith("scale", StringComparison.Ordinal) ? null : name["model.".Length..]);
        Assert.Equal(["scale"], report.Missing);
        Assert.Empty(report.Unexpected);
        Assert.Contains("both 'first.bias'",
            Assert.Throws<InvalidFileException>(() => ModuleWeights.LoadInto(module, file, _ => "first.bias")).Message);
    }

    [Fact]
    public void LoadInto_CancelledOrDamaged_ThrowsWhatHappened()
    {
        using var scope = NewDisposeScope();
        using var module = new Small();
        var path = SaveRandom(6);
        using var file = WeightFile.Open(path);
        Assert.Throws<OperationCanceledException>(() =>
            ModuleWeights.LoadInto(module, file, options: new ModuleLoadOptions { CancellationToken = new CancellationToken(true) }));
        using (var handle = File.OpenHandle(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete))
            RandomAccess.SetLength(handle, ((SafetensorsFile)file.Source).DataOffset + 50);
        Assert.Throws<InvalidFileException>(() => ModuleWeights.LoadInto(module, file));
    }

    [Fact]
    public void LoadInto_Progress_EndsAtOne()
    {
        using var scope = NewDisposeScope();
        using var module = new Small();
        using var file = WeightFile.Open(SaveRandom(8));
        var reports = new System.Collections.Concurrent.ConcurrentBag<double>();
        ModuleWeights.LoadInto(module, file, options: new ModuleLoadOptions { Progress = new Listener(reports.Add) });
        Assert.Equal(1, reports.Max());
        Assert.All(reports, part => Assert.InRange(part, 0, 1));
    }

    [Fact]
    public void LoadInto_LeavesNoTensorBehind()
    {
        using var module = new Small();
        using var file = WeightFile.Open(SaveRandom(9, ScalarType.Float16));
        // What earlier tests left to the collector must not go in between.
        GC.Collect();
        GC.WaitForPendingFinalizers();
        var before = HeldTensors.Before();
        ModuleWeights.LoadInto(module, file);
        ModuleWeights.LoadInto(module, file, dtype: ScalarType.Float16, options: new ModuleLoadOptions { Storage = WeightStorage.Mapped });
        ModuleWeights.LoadInto(module, file, dtype: ScalarType.BFloat16);
        Assert.Equal(before, TensorCount.Live);
    }

    private sealed class Listener(Action<double> report) : IProgress<double>
    {
        public void Report(double value) => report(value);
    }
}
