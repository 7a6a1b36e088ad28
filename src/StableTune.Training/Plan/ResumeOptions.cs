using StableTune.Hub;

namespace StableTune;

/// <summary>A run goes on from a state that an earlier one wrote.</summary>
public sealed record ResumeOptions : OptionsBase
{
    /// <summary>What a place on the hub begins with.</summary>
    private const string HubScheme = "hf://";

    /// <summary>
    /// The folder of a state; with <see cref="Latest"/> the folder that holds states. Or a state on the hub, that is downloaded with what
    /// <see cref="TrainingPlan.Model"/> says of the hub: <c>hf://owner/name/frog-state</c>, with <c>:revision</c> or
    /// <c>:revision:type</c> behind it.
    /// </summary>
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

    /// <summary>The place on the hub; null for a folder of this machine.</summary>
    internal HubName? HubPlace => Path?.StartsWith(HubScheme, StringComparison.Ordinal) == true
        && HubName.TryParse(Path[HubScheme.Length..], out var name, out _) ? name : null;

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (string.IsNullOrWhiteSpace(Path))
            yield return Problem(Path, "a run is resumed from a folder", "name the folder of a state, such as out/frog-step00000100-state");
        else if (Path.StartsWith(HubScheme, StringComparison.Ordinal))
        {
            if (!HubName.TryParse(Path[HubScheme.Length..], out _, out var problem))
                yield return Problem(Path, problem, "write hf://owner/name/folder, with :revision or :revision:type behind it if needed");
            else if (Latest)
                yield return Problem(Path, "the newest state is looked for on this machine", "name the folder of a state on the hub");
        }
        else if (!Latest && !Directory.Exists(Path))
            yield return Problem(Path, "there is no such folder", "name the folder of a state, such as out/frog-step00000100-state");
    }
}
