namespace StableTune.Trainables;

/// <summary>What a builder implements to have a place for things to train: the <c>With…</c> extensions of all kinds then work on
/// it.</summary>
/// <typeparam name="TBuilder">The builder itself.</typeparam>
public interface ITrainableSocket<out TBuilder>
{
    /// <summary>Trains this too, or applies it where its <see cref="TrainableOptions.Trained"/> is false.</summary>
    /// <param name="options">What is trained, and how.</param>
    /// <returns>The builder.</returns>
    TBuilder WithTrainable(TrainableOptions options);
}
