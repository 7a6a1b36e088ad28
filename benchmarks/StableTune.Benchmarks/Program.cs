using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;

// dotnet run -c Release --project benchmarks/StableTune.Benchmarks -- --filter '*Operator*'; benchmarks/suites.sh runs all.
// TorchSharp's assembly is published without the mark of an optimized one; what counts of it lies in libtorch.
var config = DefaultConfig.Instance.WithOptions(ConfigOptions.DisableOptimizationsValidator)
    .WithSummaryStyle(SummaryStyle.Default.WithMaxParameterColumnWidth(60));
BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args, config);
