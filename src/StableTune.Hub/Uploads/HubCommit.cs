namespace StableTune.Hub;

/// <summary>Who may see a repository that is created.</summary>
public enum HubVisibility
{
    /// <summary>Its owner alone.</summary>
    Private,

    /// <summary>Everybody.</summary>
    Public,
}

/// <summary>What an upload has made.</summary>
/// <param name="Commit">The commit on the hub; the upload can be had again by it (<see cref="HubName.At"/>).</param>
/// <param name="Files">The paths in the repository that were written.</param>
public sealed record HubCommit(string Commit, IReadOnlyList<string> Files);
