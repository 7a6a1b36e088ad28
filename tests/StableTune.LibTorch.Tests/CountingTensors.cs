namespace StableTune.LibTorch.Tests;

/// <summary>Tests that compare the number of live tensors run alone: the count is the process's.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class CountingTensors
{
    public const string Name = "Counts live tensors";
}
