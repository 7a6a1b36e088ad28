using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using System.Globalization;

namespace StableTune.Benchmarks;

/// <summary>How fast layers are at the shapes of Stable Diffusion 1.5, and how near to what this machine can do at most.</summary>
[Config(typeof(Columns))]
public class LayerBenchmarks
{
    private Func<Tensor> _layer = null!;
    private IDisposable? _kept;

    /// <summary>The layers.</summary>
    public static IEnumerable<LayerCase> Layers => LayerCase.All;

    /// <summary>The layer.</summary>
    [ParamsSource(nameof(Layers))]
    public LayerCase Layer { get; set; } = null!;

    [GlobalSetup]
    public void SetUp()
    {
        NativeBackend.Load();
        _kept = HostMemory.Keep(1L << 30, ofAnySize: true);                  // as in a run
        _layer = Layer.Make();
    }

    [GlobalCleanup]
    public void CleanUp() => _kept?.Dispose();

    [Benchmark]
    public void Forward()
    {
        using var result = _layer();
    }

    private sealed class Columns : ManualConfig
    {
        public Columns() => AddColumn(
            new Rate("GFLOP/s", (layer, nanoseconds, _) => layer.Operations / nanoseconds),
            new Rate("GB/s", (layer, nanoseconds, _) => layer.Bytes / nanoseconds),
            new Rate("% of peak", (layer, nanoseconds, peak) => 100 * layer.Operations / nanoseconds / peak));
    }

    /// <summary>A number from the layer, its time in nanoseconds, and the peak's GFLOP/s.</summary>
    private sealed class Rate(string name, Func<LayerCase, double, double, double> of) : IColumn
    {
        public string Id => name;

        public string ColumnName => name;

        public string Legend => name;

        public bool AlwaysShow => true;

        public ColumnCategory Category => ColumnCategory.Custom;

        public int PriorityInCategory => 0;

        public bool IsNumeric => true;

        public UnitType UnitType => UnitType.Dimensionless;

        public bool IsAvailable(Summary summary) => true;

        public bool IsDefault(Summary summary, BenchmarkCase benchmarkCase) => false;

        public string GetValue(Summary summary, BenchmarkCase benchmarkCase)
        {
            var peak = summary.BenchmarksCases.FirstOrDefault(other => LayerOf(other).Name == LayerCase.Peak);
            var (time, best) = (Mean(summary, benchmarkCase), peak is null ? null : Mean(summary, peak));
            if (time is null) return "-";
            var number = of(LayerOf(benchmarkCase), time.Value, best is null ? double.NaN : LayerOf(peak!).Operations / best.Value);
            return double.IsNaN(number) ? "-" : number.ToString(number < 10 ? "F1" : "F0", CultureInfo.InvariantCulture);
        }

        public string GetValue(Summary summary, BenchmarkCase benchmarkCase, SummaryStyle style) => GetValue(summary, benchmarkCase);

        private static double? Mean(Summary summary, BenchmarkCase benchmark) => summary[benchmark]?.ResultStatistics?.Mean;

        private static LayerCase LayerOf(BenchmarkCase benchmark) => (LayerCase)benchmark.Parameters[nameof(Layer)];
    }
}
