using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;

namespace StableTune.Torch.Tests.Memory;

[Collection(CountingTensors.Name)]
public sealed unsafe class MappedMemoryTests : IDisposable
{
    private const int Count = 6;
    private readonly float* _memory = (float*)NativeMemory.AlignedAlloc(Count * sizeof(float), 64);
    private int _released;

    public MappedMemoryTests()
    {
        for (var k = 0; k < Count; k++) _memory[k] = k;
    }

    public void Dispose()
    {
        Assert.Equal(0, MappedMemory.Addresses);
        NativeMemory.AlignedFree(_memory);
    }

    private Tensor Map(params long[] shape) =>
        MappedMemory.ToTensor((nint)_memory, shape, ScalarType.Float32, () => Interlocked.Increment(ref _released));

    [Fact]
    public void ToTensor_IsAViewOfTheMemory()
    {
        using var mapped = Map(2, 3);
        Assert.Equal((nint)_memory, mapped.DataPointer());
        Assert.Equal([2, 3], mapped.shape);
        Assert.Equal(ScalarType.Float32, mapped.dtype);
        Assert.False(mapped.requires_grad);
        _memory[0] = 9;
        Close.To(mapped, tensor(new[,] { { 9f, 1, 2 }, { 3, 4, 5 } }));
    }

    /// <summary>What was written into the private pages is gone with them; pages that others share a part of stay.</summary>
    [Fact]
    public void Release_OfAMappedFile_LetsItsPagesGo_ButForThoseOfOthers()
    {
        if (!OperatingSystem.IsLinux()) return;
        var page = Environment.SystemPageSize;
        var path = Path.GetTempFileName();
        try
        {
            File.WriteAllBytes(path, new byte[4 * page]);
            using var map = MemoryMappedFile.CreateFromFile(path, FileMode.Open, null, 0, MemoryMappedFileAccess.CopyOnWrite);
            using var view = map.CreateViewAccessor(0, 0, MemoryMappedFileAccess.CopyOnWrite);
            var start = (float*)view.SafeMemoryMappedViewHandle.DangerousGetHandle();
            var numbers = page / sizeof(float);
            // From the middle of the first page to the middle of the last.
            Tensor Part() =>
                MappedMemory.ToTensor((nint)(start + (numbers / 2)), [3 * numbers], ScalarType.Float32, () => { }, isFile: true);
            var (first, second) = (Part(), Part());
            first.fill_(7);
            first.Dispose();
            Assert.Equal((7f, 7f), (start[numbers], start[3 * numbers]));
            second.Dispose();
            Assert.Equal((7f, 0f, 0f, 7f),
                (start[numbers - 1], start[numbers], start[(3 * numbers) - 1], start[3 * numbers]));
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void Release_ComesOnce_WhenTheLastTensorGoes()
    {
        var mapped = Map(2, 3);
        var view = mapped[1];
        var alias = view.alias();
        mapped.Dispose();
        view.Dispose();
        Assert.Equal(0, _released);
        Close.To(alias, [3, 4, 5]);
        alias.Dispose();
        Assert.Equal(1, _released);
        Assert.Equal(0, MappedMemory.Addresses);
    }

    [Fact]
    public void Release_WaitsForTheGraph()
    {
        var mapped = Map(6);
        using (var scope = NewDisposeScope())
        {
            var loss = (ones([6], requires_grad: true) * mapped).sum();
            mapped.Dispose();
            Assert.Equal(0, _released);
            Gradients.Backward(loss);
        }
        Assert.Equal(1, _released);
    }

    [Fact]
    public void SetData_WithMappedMemory_HoldsItUntilTheParameterGoes()
    {
        var parameter = LayerInitialization.NewParameter(empty([2, 3]), requiresGrad: false);
        using (var mapped = Map(2, 3)) parameter.SetData(mapped);
        Assert.Equal(0, _released);
        Assert.Equal((nint)_memory, parameter.DataPointer());
        parameter.Dispose();
        Assert.Equal(1, _released);
    }

    [Fact]
    public void Results_DoNotTouchTheMemory()
    {
        using var scope = NewDisposeScope();
        var mapped = Map(6);
        mapped.add(1).mul_(2);
        mapped.to(ScalarType.Float64).zero_();
        mapped.clone().zero_();
        Assert.Equal([0f, 1, 2, 3, 4, 5], new Span<float>(_memory, Count).ToArray());
        scope.Dispose();
        Assert.Equal(1, _released);
    }

    [Fact]
    public void SameAddressTwice_ReleasesEachOnce()
    {
        var (first, second) = (Map(6), Map(3));
        Assert.Equal(1, MappedMemory.Addresses);
        first.Dispose();
        Assert.Equal(1, _released);
        second.Dispose();
        Assert.Equal(2, _released);
    }

    [Fact]
    public void Release_ComesFromWhicheverThreadIsLast()
    {
        var mapped = Map(6);
        OnThread.Run(mapped.Dispose);
        Assert.Equal(1, _released);
        void Forget() => Map(6);
        OnThread.Run(() => Forget());
        CountingTensors.Settle();
        Assert.Equal(2, _released);
    }

    [Fact]
    public void ManyThreads_ReleaseAll()
    {
        OnThread.Run(4, _ =>
        {
            for (var k = 0; k < 500; k++) Map(6).Dispose();
        });
        Assert.Equal(2000, _released);
    }

    [Theory]
    [InlineData(ScalarType.Float32, 2)]
    [InlineData(ScalarType.Int64, 4)]
    [InlineData(ScalarType.BFloat16, 1)]
    public void MisalignedAddress_IsRefusedAndReleased(ScalarType type, int offset)
    {
        var error = Assert.Throws<ArgumentException>(() => MappedMemory.ToTensor((nint)_memory + offset, [1], type, () => _released++));
        Assert.Contains($"{type} [1]", error.Message);
        Assert.Equal(1, _released);
    }

    [Fact]
    public void ShapeWithoutElements_IsRefusedAndReleased()
    {
        long[][] shapes = [[0], [2, 0], [-1], [-2, -3]];
        foreach (var shape in shapes) Assert.Throws<ArgumentException>(() => Map(shape));
        Assert.Equal(shapes.Length, _released);
    }

    [Fact]
    public void OtherBadArguments_AreRefusedAndReleased()
    {
        Assert.Throws<OverflowException>(() => Map(1L << 40, 1L << 40));
        Assert.Throws<ArgumentException>(() => MappedMemory.ToTensor(0, [1], ScalarType.Float32, () => _released++));
        Assert.Throws<ArgumentNullException>(() => Map(null!));
        Assert.Equal(3, _released);
        Assert.Throws<ArgumentNullException>(() => MappedMemory.ToTensor((nint)_memory, [1], ScalarType.Float32, null!));
    }

    [Fact]
    public void Scalars_AndAllTypes_CanBeMapped()
    {
        using (var scalar = Map()) Assert.Equal(0f, scalar.item<float>());
        ScalarType[] types = [ScalarType.Byte, ScalarType.Int8, ScalarType.Int16, ScalarType.Int32, ScalarType.Int64,
            ScalarType.Float16, ScalarType.BFloat16, ScalarType.Float64, ScalarType.Bool];
        foreach (var type in types)
        {
            using var mapped = MappedMemory.ToTensor((nint)_memory, [2], type, () => _released++);
            Assert.Equal(type, mapped.dtype);
        }
        Assert.Equal(types.Length + 1, _released);
    }
}
