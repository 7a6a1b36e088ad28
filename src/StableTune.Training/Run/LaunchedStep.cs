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

    /// <summary>Each group's rate.</summary>
    public IReadOnlyList<double> Rates { get; init; } = [];

    /// <summary>The loss of each batch, where it is known.</summary>
    public double[] Losses { get; init; } = [];

    /// <summary>The norm of all gradients before clipping, where it is known.</summary>
    public double Norm { get; init; } = double.NaN;

    /// <summary>What its losses were multiplied by before the backward pass, where it is known; NaN where they were not.</summary>
    public double Scale { get; init; } = double.NaN;

    /// <summary>Losses, norm and scale on their way from the device; null where they are known.</summary>
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
        return this with { Losses = numbers[..^2], Norm = numbers[^2], Scale = numbers[^1], Reading = null };
    }
}
