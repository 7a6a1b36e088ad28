namespace StableTune.Adapters;

/// <summary>What the tools that write adapter files have in common: type, metadata, progress, and that nothing is overwritten
/// unseen.</summary>
public abstract record AdapterToolOptions : OptionsBase
{
    private static readonly ScalarType[] Types = [ScalarType.Float32, ScalarType.Float16, ScalarType.BFloat16];

    /// <summary>Whether a file that stands at the output path is replaced, once the new one is complete. Default false: it is an
    /// error.</summary>
    public bool Overwrite { get; init; }

    /// <summary>The type of all tensors in the output: float32, float16 or bfloat16. Default float32. (<c>--save_precision</c> of
    /// sd-scripts)</summary>
    public ScalarType SavePrecision { get; init; } = ScalarType.Float32;

    /// <summary>Whether the output says what it is in <c>modelspec.*</c> entries; the few <c>ss_*</c> entries that programs need, and the
    /// hashes, are always written. Default true. (the opposite of <c>--no_metadata</c>)</summary>
    public bool WriteSpecification { get; init; } = true;

    /// <summary>The output's name for people; null for the file's name without extension.</summary>
    public string? Title { get; init; }

    /// <summary>Where the numbers are computed; null for the CPU.</summary>
    public Device? Device { get; init; }

    /// <summary>Told how far the work is, in layers or tensors, on the calling thread; null for nobody.</summary>
    public IProgress<WorkProgress>? Progress { get; init; }

    /// <summary>Where the date in the metadata comes from.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (TypeProblem(SavePrecision, nameof(SavePrecision)) is { } problem) yield return problem;
        if (Device is { } device && !NativeBackend.HasDevice(device, out var missing))
            yield return Problem(device.ToString(), missing.TrimEnd('.'), "leave it unset for the CPU", nameof(Device));
    }

    /// <summary>What is wrong with a type of numbers; null for nothing.</summary>
    /// <param name="type">The type.</param>
    /// <param name="name">The property that holds it.</param>
    protected OptionProblem? TypeProblem(ScalarType type, string name) => Types.Contains(type) ? null
        : Problem(
            type.ToString(), "the type must be one of float32, float16 and bfloat16", "use Float32, or Float16 for small files", name);
}
