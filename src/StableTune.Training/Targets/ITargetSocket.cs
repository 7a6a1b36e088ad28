namespace StableTune.Training;

/// <summary>What a builder implements to have a place for things to train: the <c>With…</c> extensions of all kinds then work on it.</summary>
/// <typeparam name="TBuilder">The builder itself.</typeparam>
public interface ITargetSocket<out TBuilder>
{
    /// <summary>Trains this too.</summary>
    /// <param name="options">What is trained, and how.</param>
    /// <returns>The builder.</returns>
    TBuilder WithTarget(TargetOptions options);
}
