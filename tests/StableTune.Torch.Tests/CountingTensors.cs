namespace StableTune.Torch.Tests;

/// <summary>Tests that measure the process run alone: the number of live tensors, its memory, its random stream.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class CountingTensors : ICollectionFixture<CountingTensors.Settled>
{
    public const string Name = "Measures the process";

    /// <summary>Memory of the process that is in RAM; 0 where the system does not say.</summary>
    internal static long ResidentBytes() =>
        File.Exists("/proc/self/statm") ? long.Parse(File.ReadAllText("/proc/self/statm").Split(' ')[1]) * Environment.SystemPageSize : 0;

    /// <summary>What was forgotten is finalized, so that it does not move the count later.</summary>
    internal static void Settle()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
    }

    /// <summary>What earlier tests forgot goes before the first of these begins.</summary>
    public sealed class Settled
    {
        public Settled() => Settle();
    }
}
