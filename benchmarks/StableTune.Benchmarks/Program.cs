using BenchmarkDotNet.Running;

// dotnet run -c Release --project benchmarks/StableTune.Benchmarks -- --filter '*Operator*'
BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
