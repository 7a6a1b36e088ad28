namespace StableTune.LibTorch.Tests;

/// <summary>Tests that compare the number of live tensors run alone: the count is the process's.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class CountingTensors : ICollectionFixture<CountingTensors.Settled>
{
    public const string Name = "Counts live tensors";

    /// <summary>What earlier tests forgot is finalized first, so that it does not move the count later.</summary>
    public sealed class Settled
    {
        public Settled()
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }
    }
}
