using BenchmarkDotNet.Attributes;
using StableTune.Formats;
using StableTune.Tensors;

namespace StableTune.Benchmarks;

/// <summary>A safetensors file of 256 MiB in 64 tensors: opened, read into a module, and written, against reading the same bytes
/// once.</summary>
[MemoryDiagnoser]
public class SafetensorsBenchmarks
{
    private const int Count = 64, Side = 1024;

    private readonly byte[] _buffer = new byte[8 << 20];
    private string _folder = "", _path = "", _written = "";
    private nn.Module _module = null!;

    [GlobalSetup]
    public void SetUp()
    {
        NativeBackend.Load();
        _folder = Directory.CreateTempSubdirectory("stabletune-benchmark-").FullName;
        (_path, _written) = (Path.Combine(_folder, "weights.safetensors"), Path.Combine(_folder, "written.safetensors"));
        _module = new Weights();
        StateDictWriter.Save(_path, Tensors());
    }

    [GlobalCleanup]
    public void CleanUp()
    {
        _module.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Benchmark(Baseline = true, Description = "the bytes, read once")]
    public int Bytes()
    {
        using var stream = new FileStream(_path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        int read, sum = 0;
        while ((read = stream.Read(_buffer)) > 0) sum += read;
        return sum;
    }

    [Benchmark(Description = "header")]
    public int Header()
    {
        using var file = SafetensorsFile.Open(_path);
        return file.Tensors.Count;
    }

    [Benchmark(Description = "into a module, copied")]
    public void Load()
    {
        using var file = WeightFile.Open(_path);
        ModuleWeights.LoadInto(_module, file).ThrowIfIncomplete();
    }

    [Benchmark(Description = "written")]
    public void Save() => StateDictWriter.Save(_written, Tensors());

    private IEnumerable<(string Name, Tensor Tensor)> Tensors() =>
        _module.named_parameters().Select(parameter => (parameter.name, (Tensor)parameter.parameter));

    private sealed class Weights : nn.Module
    {
        public Weights() : base(nameof(Weights))
        {
            for (var i = 0; i < Count; i++) register_parameter($"w{i}", LayerInitialization.NewParameter(randn(Side, Side)));
        }
    }
}
