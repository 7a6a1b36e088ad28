namespace StableTune.Training;

/// <summary>The loss of a batch, or the norm of its gradients, is infinite or not a number, so the step was not taken.</summary>
public sealed class TrainingDivergedException : InvalidOperationException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="quantity">What is not finite: "loss", "norm of the gradients".</param>
    /// <param name="value">Its value.</param>
    /// <param name="images">The images of the batch.</param>
    public TrainingDivergedException(string quantity, double value, IEnumerable<string> images) =>
        (Quantity, Value, Images) = (quantity, value, [.. images]);

    /// <summary>The step in which it happened, from 1; 0 where it is not known.</summary>
    public int Step { get; init; }

    /// <summary>What is not finite: "loss", "norm of the gradients".</summary>
    public string Quantity { get; }

    /// <summary>The loss: NaN or an infinity.</summary>
    public double Value { get; }

    /// <summary>The images of the batch.</summary>
    public IReadOnlyList<string> Images { get; }

    /// <summary>The folder of the last state that the run wrote, from which it can go on; null where it wrote none.</summary>
    public string? LastState { get; init; }

    /// <summary>Steps directly before this one that were left out for the same reason (<see cref="NonFiniteOptions.Skip"/>).</summary>
    public int SkippedBefore { get; init; }

    /// <summary>Whether parameters with finite gradients were stepped before the others were known: with <see cref="FusedBackwardOptions"/>
    /// alone.</summary>
    public bool PartWasStepped { get; init; }

    /// <inheritdoc/>
    public override string Message => string.Concat(
        $"The {Quantity} became {(double.IsNaN(Value) ? "NaN" : "infinite")}{(Step > 0 ? $" in step {Step}" : "")} on a batch of ",
        $"{string.Join(", ", Images)}. ",
        SkippedBefore > 0 ? $"The {SkippedBefore} steps before it were left out for that too (NonFiniteOptions.MostInARow). " : "",
        PartWasStepped ? "Parameters with finite gradients were stepped, as the backward pass is fused with the optimizer; no others were. "
            : "The weights before this step are kept. ",
        LastState is null ? "" : $"The last state is {LastState}. ",
        "Lower the learning rate, keep gradient clipping on, or train in float32.");
}
