namespace StableTune.Training;

/// <summary>A step that was asked of the device.</summary>
internal sealed record LaunchedStep
{
    /// <summary>Where the run stands after it.</summary>
    public RunPosition After { get; init; }

    /// <summary>The place of its first batch in the epoch.</summary>
    public int FirstBatch { get; init; }

    /// <summary>The images of its batches.</summary>
    public string[] Images { get; init; } = [];

    /// <summary>Each group's rate; without the factor of an optimizer that finds its own.</summary>
    public IReadOnlyList<double> Rates { get; init; } = [];

    /// <summary>The loss of each batch, where it is known.</summary>
    public double[] Losses { get; init; } = [];

    /// <summary>The losses of its batches' samples.</summary>
    public IReadOnlyList<SampleReading> Samples { get; init; } = [];

    /// <summary>The norm of all gradients before clipping, where it is known.</summary>
    public double Norm { get; init; } = double.NaN;

    /// <summary>What its losses were multiplied by before the backward pass, where it is known; NaN where they were not.</summary>
    public double Scale { get; init; } = double.NaN;

    /// <summary>What the optimizer multiplied the rates by, where it finds its own and that is known.</summary>
    public double? RateFactor { get; init; }

    /// <summary>Losses, norm, scale and rate factor on their way from the device; null where they are known.</summary>
    public LateReading? Reading { get; init; }

    /// <summary>What had gradients, where step counts went on before the numbers were known.</summary>
    public Tensor[] Stepped { get; init; } = [];

    /// <summary>Whether some parameters were stepped though not all gradients are finite.</summary>
    public bool PartWasStepped { get; init; }

    /// <summary>The same with its numbers, which are waited for where they are not there yet.</summary>
    public LaunchedStep Read()
    {
        if (Reading is null) return this;
        var numbers = Reading.Read();
        return this with { Losses = numbers[..^3], Norm = numbers[^3], Scale = numbers[^2],
            RateFactor = double.IsNaN(numbers[^1]) ? null : numbers[^1], Reading = null };
    }
}
