namespace StableTune.Tensors;

/// <summary>How weights are loaded into a module, beyond which and as what.</summary>
public sealed record ModuleLoadOptions
{
    /// <summary>Where the loaded numbers lie. Default: copied into memory of the process.</summary>
    public WeightStorage Storage { get; init; } = WeightStorage.Copied;

    /// <summary>Whether weights stay in the mapped file where their type is the file's.</summary>
    internal bool Maps => Storage == WeightStorage.Mapped || (Storage == WeightStorage.Automatic && !OperatingSystem.IsWindows());

    /// <summary>Whether floating-point weights keep the type they are stored in, each its own, whatever type is asked for. 8-bit floats
    /// become float16.</summary>
    public bool KeepStoredTypes { get; init; }

    /// <summary>Whether numbers that are NaN or infinite are looked for, while they are read; see <see cref="LoadReport.NotFinite"/>.
    /// Weights of a mapped file are read for it. Default false.</summary>
    public bool CheckNumbers { get; init; }

    /// <summary>How many threads read. Default (null): the number of cores, at most 8.</summary>
    public int? MaximumThreads { get; init; }

    /// <summary>Told the part that is done, 0 to 1, from the reading threads; reports may overtake each other.</summary>
    public IProgress<double>? Progress { get; init; }

    /// <summary>Looked at every few megabytes; what was loaded until then stays.</summary>
    public CancellationToken CancellationToken { get; init; }
}
