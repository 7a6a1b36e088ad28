namespace StableTune.Training;

/// <summary>The loss of a batch is infinite or not a number, so the step was not taken.</summary>
public sealed class TrainingDivergedException : InvalidOperationException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="loss">The loss.</param>
    /// <param name="images">The images of the batch.</param>
    public TrainingDivergedException(double loss, IEnumerable<string> images)
        : this(loss, [.. images]) { }

    private TrainingDivergedException(double loss, string[] images)
        : base($"The loss became {(double.IsNaN(loss) ? "NaN" : "infinite")} on a batch of {string.Join(", ", images)}. The weights before this step are kept. " +
               "Lower the learning rate, keep gradient clipping on, or train in float32.")
    {
        (Loss, Images) = (loss, images);
    }

    /// <summary>The loss: NaN or an infinity.</summary>
    public double Loss { get; }

    /// <summary>The images of the batch.</summary>
    public IReadOnlyList<string> Images { get; }
}
