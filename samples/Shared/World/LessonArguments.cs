using System.Globalization;

namespace StableTune.Samples.World;

/// <summary>What a sample that teaches the embedded model is given.</summary>
/// <param name="Steps">The training steps.</param>
/// <param name="Prompts">How many prompts of each kind measure what was learnt.</param>
/// <param name="Output">The folder of the results.</param>
internal sealed record LessonArguments(int Steps, int Prompts, string Output)
{
    /// <summary>The embedded model.</summary>
    internal string Model { get; } = Path.Combine(AppContext.BaseDirectory, "model");

    /// <summary>Reads <c>[STEPS [PROMPTS [FOLDER]]]</c>.</summary>
    /// <param name="args">The words of the command line.</param>
    /// <param name="steps">Where none are given.</param>
    /// <param name="folder">The folder below <c>out</c> where none is given.</param>
    internal static LessonArguments Read(string[] args, int steps, string folder) => new(
        args.Length > 0 ? int.Parse(args[0], CultureInfo.InvariantCulture) : steps,
        args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 12,
        Path.GetFullPath(args.Length > 2 ? args[2] : Path.Combine("out", folder)));
}
