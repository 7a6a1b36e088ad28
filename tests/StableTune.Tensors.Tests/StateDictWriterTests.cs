using StableTune.Formats;

namespace StableTune.Tensors.Tests;

public sealed class StateDictWriterTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Save_EveryTypeAndLayout_LoadsBackTheSame()
    {
        using var scope = NewDisposeScope();
        var path = _folder.File("all.safetensors");
        var basis = randn([4, 6], generator: new Generator(1)) * 3;
        var tensors = new[] { ScalarType.Float64, ScalarType.Float32, ScalarType.Float16, ScalarType.BFloat16, ScalarType.Int64,
            ScalarType.Int32, ScalarType.Int16, ScalarType.Int8, ScalarType.Bool }
            .Select(type => (Name: type.ToString(), Tensor: basis.to(type)))
            .Append(("Byte", basis.abs().to(ScalarType.Byte)))
            .Append(("transposed", basis.t())).Append(("part", basis.narrow(1, 2, 3))).Append(("scalar", tensor(2.5f)))
                .Append(("none", zeros(0, 3)))
            .Append(("trained", basis.clone().requires_grad_(true))).ToList();
        StateDictWriter.Save(path, tensors, new Dictionary<string, string> { ["format"] = "pt" });
        using var golden = Golden.OpenFile(path);
        Assert.Equal("pt", golden.Metadata["format"]);
        Assert.Equal(tensors.Count, golden.Names.Count);
        foreach (var (name, tensor) in tensors)
        {
            Assert.Equal(tensor.dtype, golden[name].dtype);
            golden.AssertEqual(name, tensor);
        }
    }

    [Fact]
    public void Save_WithAType_ConvertsFloatsOnlyAndInChunks()
    {
        using var scope = NewDisposeScope();
        var path = _folder.File("half.safetensors");
        var large = randn([3, 500001], generator: new Generator(2));
        StateDictWriter.Save(path, [("a", large), ("b", large.t()), ("n", arange(3))], dtype: ScalarType.Float16);
        using var golden = Golden.OpenFile(path);
        Assert.Equal([TensorDType.I64, TensorDType.F16, TensorDType.F16], WeightFile.Open(path).Tensors.Select(t => t.DType));
        golden.AssertEqual("a", large.to(ScalarType.Float16));
        golden.AssertEqual("b", large.t().to(ScalarType.Float16));
    }

    [Fact]
    public void Hash_GivesWhatTheWrittenFileHas()
    {
        using var scope = NewDisposeScope();
        var path = _folder.File("a.safetensors");
        var tensors = new[] { ("b", randn(5)), ("a", randn(600, 1000)) };
        StateDictWriter.Save(path, tensors, dtype: ScalarType.Float16);
        var hashes = StateDictWriter.Hash(tensors, dtype: ScalarType.Float16);
        Assert.Equal(WeightHashes.OfTensors(path), hashes.Model);
        Assert.Equal(WeightHashes.Old(path), hashes.Legacy);
    }

    [Fact]
    public void Save_SameNameTwice_IsRefusedAndWritesNothing()
    {
        using var scope = NewDisposeScope();
        var path = _folder.File("a.safetensors");
        Assert.Contains("'a'", Assert.Throws<ArgumentException>(() =>
            StateDictWriter.Save(path, [("a", zeros(1)), ("a", zeros(2))])).Message);
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void Save_LeavesNoTensorBehind()
    {
        using var a = randn(10, 20);
        using var b = a.t();
        var before = HeldTensors.Before();
        StateDictWriter.Save(_folder.File("a.safetensors"), [("a", a), ("b", b)], dtype: ScalarType.BFloat16);
        Assert.Equal(before, TensorCount.Live);
    }
}
