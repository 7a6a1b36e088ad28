namespace StableTune.Training;

/// <summary>The loss of a batch, or the norm of its gradients, is infinite or not a number, so the step was not taken.</summary>
public sealed class TrainingDivergedException : InvalidOperationException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="quantity">What is not finite: "loss", "norm of the gradients".</param>
    /// <param name="value">Its value.</param>
    /// <param name="images">The images of the batch.</param>
    public TrainingDivergedException(string quantity, double value, IEnumerable<string> images)
        : this(quantity, value, [.. images]) { }

    private TrainingDivergedException(string quantity, double value, string[] images)
        : base($"The {quantity} became {(double.IsNaN(value) ? "NaN" : "infinite")} on a batch of {string.Join(", ", images)}. The "
            + $"weights before this step are kept. " +
               "Lower the learning rate, keep gradient clipping on, or train in float32.")
    {
        (Quantity, Value, Images) = (quantity, value, images);
    }

    /// <summary>The step in which it happened, from 1; 0 where it is not known.</summary>
    public int Step { get; init; }

    /// <summary>What is not finite: "loss", "norm of the gradients".</summary>
    public string Quantity { get; }

    /// <summary>The loss: NaN or an infinity.</summary>
    public double Value { get; }

    /// <summary>The images of the batch.</summary>
    public IReadOnlyList<string> Images { get; }
}
