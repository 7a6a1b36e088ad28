using StableTune.Hub;

namespace StableTune;

/// <summary>Results that are uploaded to the hub as a run writes them.</summary>
public sealed record HubUploadOptions : OptionsBase
{
    /// <summary>The repository, <c>owner/name</c>; created when it is missing. A folder may follow, and a branch:
    /// <c>owner/name/loras:v2</c>. A name alone is a repository of whoever the token belongs to.</summary>
    public string? Repository { get; init; }

    /// <summary>The kind of the repository. Default a model's.</summary>
    public HubRepositoryType Type { get; init; } = HubRepositoryType.Model;

    /// <summary>The folder in the repository; null, the default, for that of <see cref="Repository"/>, or its top.</summary>
    public string? Folder { get; init; }

    /// <summary>The branch; null, the default, for that of <see cref="Repository"/>, or "main". Created when it is missing.</summary>
    public string? Revision { get; init; }

    /// <summary>Who may see the repository if it is created. Default its owner alone; of one that exists nothing is changed.</summary>
    public HubVisibility Visibility { get; init; } = HubVisibility.Private;

    /// <summary>Whether states are uploaded too (<see cref="StateSaver"/>), so that a run can go on from the hub. Default false.</summary>
    public bool States { get; init; }

    /// <summary>Whether only what is written at the end is uploaded. Default false: every save is.</summary>
    public bool OnlyAtEnd { get; init; }

    /// <summary>Whether a model card (<c>README.md</c>) is written at the end. One that a person has written is left alone. Default
    /// true.</summary>
    public bool Card { get; init; } = true;

    /// <summary>Whether the last sample pictures go along with the model card, which shows them. Default false.</summary>
    public bool Samples { get; init; }

    /// <summary>Whether uploads go on beside the training; its end waits for them. False waits for each. Default true.</summary>
    public bool InBackground { get; init; } = true;

    /// <summary>Saves that may wait for their upload; when there are more, the training waits for one. 1 to 100, default 4.</summary>
    public int MostWaiting { get; init; } = 4;

    /// <summary>How long the end of a run waits for uploads; those that are not done then are given up and told. Default 2
    /// hours.</summary>
    public TimeSpan LongestWait { get; init; } = TimeSpan.FromHours(2);

    /// <summary>
    /// Whether a failed upload ends the run, its weights saved; it then fails with the upload's fault. Default false: failures are logged,
    /// and among the warnings of the result.
    /// </summary>
    public bool FailuresEndTheRun { get; init; }

    /// <summary>How the hub is reached, with the token; null, the default, for what the environment says.</summary>
    public HubOptions? Hub { get; init; }

    /// <summary>Whether the repository's name says whose it is.</summary>
    private bool NamesItsOwner => Repository?.Split(':')[0].Contains('/', StringComparison.Ordinal) != false;

    /// <summary>The repository with an owner, whoever that is: to look at.</summary>
    private string? Owned => NamesItsOwner ? Repository : $"me/{Repository}";

    /// <summary>Where files go.</summary>
    /// <param name="client">Asked whom the token belongs to where the repository does not say whose it is.</param>
    /// <exception cref="FormatException">The repository, folder or branch cannot be.</exception>
    /// <exception cref="HubException">The hub does not say whom the token belongs to.</exception>
    internal HubName PlaceBy(HubClient client) =>
        Place(NamesItsOwner ? HubName.Parse(Repository ?? "") : client.NameOfMineAsync(Repository!).GetAwaiter().GetResult());

    private HubName Place(HubName name)
    {
        var folder = Folder?.Trim('/') is { Length: > 0 } given ? given : name.Path;
        var type = Type == HubRepositoryType.Model ? name.Type : Type;
        var text = folder is null ? name.Repository : $"{name.Repository}/{folder}";
        return HubName.Parse($"{text}:{Revision ?? name.Revision ?? "main"}:{type.ToString().ToLowerInvariant()}");
    }

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (!HubName.TryParse(Owned, out var name, out var problem))
            yield return Problem(Repository, problem, "write owner/name");
        else if (Folder is not null && name.Path is not null)
            yield return Problem(Folder, $"the repository names the folder \"{name.Path}\" too", "give one of them");
        else if (Revision is not null && name.Revision is not null)
            yield return Problem(Revision, $"the repository names the branch \"{name.Revision}\" too", "give one of them");
        else if (PlaceProblem(name) is { } fault)
            yield return new OptionProblem($"{nameof(HubUploadOptions)}.{(Folder is null ? nameof(Revision) : nameof(Folder))}",
                Folder ?? Revision, fault, "use letters, digits, - and _");
        if (MostWaiting is < 1 or > 100) yield return Problem(MostWaiting, "the number must be 1 to 100", "4 is customary");
        if (LongestWait < TimeSpan.Zero || LongestWait > TimeSpan.FromDays(7))
            yield return Problem(LongestWait, "the time must be zero to 7 days", "2 hours are customary");
        foreach (var fault in Hub?.Validate() ?? []) yield return fault;
    }

    private string? PlaceProblem(HubName name)
    {
        try
        {
            _ = Place(name);
            return null;
        }
        catch (FormatException e)
        {
            return e.Message.TrimEnd('.');
        }
    }
}
