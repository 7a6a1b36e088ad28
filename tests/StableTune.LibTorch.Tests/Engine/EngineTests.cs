using System.Runtime.InteropServices;

namespace StableTune.LibTorch.Tests;

[Collection(CountingTensors.Name)]
public sealed class EngineTests
{
    [Fact]
    public void Version_IsThatOfTheLoadedLibTorch()
    {
        Assert.Matches(@"^\d+\.\d+\.\d+", engine.version);
        Assert.Contains(engine.version, engine.configuration);
        Assert.True(File.Exists(engine.library_path), engine.library_path);
    }

    [Fact]
    public void Blas_IsKnown_AndNamedInAWarningOnlyWhenItIsTheReference()
    {
        Assert.NotEqual("unknown", engine.blas.Name);
        Assert.Equal(engine.blas.IsReference, engine.start_up_warnings.Any(warning => warning.Contains("libopenblas0-pthread")));
    }

    [Theory]
    [InlineData("/usr/lib/x86_64-linux-gnu/openblas-pthread/libblas.so.3", "", "OpenBLAS", false)]
    [InlineData("/usr/lib/x86_64-linux-gnu/blas/libblas.so.3.11.0", "", "reference", true)]
    [InlineData("/opt/intel/libmkl_rt.so.2", "", "MKL", false)]
    [InlineData("/pip/torch/lib/libtorch_cpu.so", "BLAS_INFO=mkl, BUILD_TYPE=Release", "MKL", false)]
    [InlineData("", "BLAS_INFO=open", "OpenBLAS", false)]
    [InlineData("", "", "unknown", false)]
    public void Blas_IsToldByItsFile(string path, string configuration, string name, bool isReference)
    {
        var blas = EngineInfo.Classify(path, configuration);
        Assert.Equal((name, isReference), (blas.Name, blas.IsReference));
        Assert.Equal(isReference ? 1 : 0, EngineInfo.WarningsFor(blas).Count);
    }

    [Fact]
    public void Memory_FiguresAreThoseOfTheProcess()
    {
        engine.release_freed_memory();   // else the tensor could be made of memory that is resident already
        var before = engine.memory();
        using var big = ones(32 * 1024 * 1024, dtype: uint8);
        var after = engine.memory();
        Assert.InRange(after.ResidentBytes - before.ResidentBytes, 24 << 20, 512 << 20);
        Assert.True(after.PeakResidentBytes >= after.ResidentBytes);
        Assert.Equal(before.LiveTensors + 1, after.LiveTensors);
        Assert.True(after.ManagedBytes > 0);
    }

    [Fact]
    public unsafe void FromMemory_WrapsWithoutACopy_AndReleasesOnce()
    {
        var released = 0;
        var memory = (float*)NativeMemory.Alloc(6, sizeof(float));
        for (var k = 0; k < 6; k++) memory[k] = k;
        var lent = engine.from_memory((nint)memory, [2, 3], float32, () => released++);
        Assert.Equal((nint)memory, lent.data_ptr());
        memory[0] = 9;
        Close.To(lent, [9, 1, 2, 3, 4, 5]);
        var view = lent[1];
        lent.Dispose();
        Assert.Equal(0, released);
        Close.To(view, [3, 4, 5]);
        view.Dispose();
        Assert.Equal(1, released);
        NativeMemory.Free(memory);
    }

    [Fact]
    public void FromMemory_OfABadShape_ReleasesAndSaysSo()
    {
        var released = 0;
        var error = Assert.Throws<TorchException>(() => engine.from_memory(0, [-1], float32, () => released++));
        Assert.Contains("Float32 [-1]", error.Message);
        Assert.Equal(1, released);
    }

    [Fact]
    public void SkipInit_IsASwitchOfTheThread_ThatNests()
    {
        Assert.False(engine.InitIsSkipped);
        using (engine.skip_init())
        {
            var inner = engine.skip_init();
            inner.Dispose();
            inner.Dispose();
            Assert.True(engine.InitIsSkipped);
            var elsewhere = true;
            var thread = new Thread(() => elsewhere = engine.InitIsSkipped);
            thread.Start();
            thread.Join();
            Assert.False(elsewhere);
        }
        Assert.False(engine.InitIsSkipped);
    }

    [Fact]
    public void Threads_CanBeSet()
    {
        var before = get_num_threads();
        engine.set_num_threads(1);
        Assert.Equal(1, get_num_threads());
        set_num_threads(before);
        Assert.Equal(before, get_num_threads());
        Assert.True(get_num_interop_threads() >= 1);
        Assert.Throws<TorchException>(() => set_num_threads(0));
    }

    [Fact]
    public void Cuda_AvailabilityAndCountAgree()
    {
        Assert.Equal(cuda.is_available(), cuda.device_count() > 0);
        if (cuda.is_available()) Assert.InRange(cuda.mem_get_info().Free, 1, cuda.mem_get_info().Total);
        else
        {
            Assert.Throws<TorchException>(() => ones([1], device: CUDA));
            Assert.Contains("cuda.mem_get_info(0)", Assert.Throws<TorchException>(() => cuda.mem_get_info()).Message);
            Assert.Equal((0, 0), (engine.memory().DeviceUsedBytes, engine.memory().DeviceTotalBytes));
        }
    }
}
