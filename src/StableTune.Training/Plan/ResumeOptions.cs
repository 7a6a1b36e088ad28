namespace StableTune;

/// <summary>A run goes on from a state that an earlier one wrote.</summary>
public sealed record ResumeOptions : OptionsBase
{
    /// <summary>The folder of a state; with <see cref="Latest"/> the folder that holds states.</summary>
    public string? Path { get; init; }

    /// <summary>Whether the newest complete state in the folder is taken; where there is none, the run begins anew. Default
    /// false.</summary>
    public bool Latest { get; init; }

    /// <summary>
    /// Whether a state that was written for other options or images is taken all the same; the differences are told as warnings. Default
    /// false: they are listed, and the run does
    /// not start.
    /// </summary>
    public bool AllowDifferences { get; init; }

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (string.IsNullOrWhiteSpace(Path))
            yield return Problem(Path, "a run is resumed from a folder", "name the folder of a state, such as out/frog-step00000100-state");
        else if (!Latest && !Directory.Exists(Path))
            yield return Problem(Path, "there is no such folder", "name the folder of a state, such as out/frog-step00000100-state");
    }
}
