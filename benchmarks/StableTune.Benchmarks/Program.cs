using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Running;

// dotnet run -c Release --project benchmarks/StableTune.Benchmarks -- --filter '*Operator*'; benchmarks/suites.sh runs all.
// TorchSharp's assembly is published without the mark of an optimized one; what counts of it lies in libtorch.
var config = DefaultConfig.Instance.WithOptions(ConfigOptions.DisableOptimizationsValidator);
BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args, config);
