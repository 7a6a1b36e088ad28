namespace StableTune.Hub;

/// <content>Uploads.</content>
public sealed partial class HubClient
{
    /// <summary>The name of a repository that belongs to whoever the token belongs to.</summary>
    /// <param name="repository">Its name without an owner; path, branch and type may follow as for <see cref="HubName.Parse"/>.</param>
    /// <param name="cancellationToken">Ends the question.</param>
    /// <exception cref="FormatException">The text is no name.</exception>
    /// <exception cref="HubException">There is no token, or the server does not know it, or is not reached.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public async Task<HubName> NameOfMineAsync(string repository, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(repository);
        var name = HubName.Parse($"me/{repository}");
        _uploads.Require(name);
        return HubName.Parse($"{await _api.UserAsync(name, cancellationToken).ConfigureAwait(false)}/{repository}");
    }

    /// <summary>
    /// Makes sure that a repository can be uploaded to: creates it where there is none, and the branch that the name has, and asks whether
    /// this token may write there.
    /// </summary>
    /// <param name="name">The repository; its path is not looked at.</param>
    /// <param name="visibility">Who may see it if it is created; of one that exists nothing is changed.</param>
    /// <param name="cancellationToken">Ends the questions.</param>
    /// <returns>Whether it was created.</returns>
    /// <exception cref="HubException">There is no token, or it may not write there, or the server is not reached.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public Task<bool> EnsureRepositoryAsync(
        HubName name, HubVisibility visibility = HubVisibility.Private, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(name);
        return _uploads.EnsureAsync(name, visibility, cancellationToken);
    }

    /// <summary>
    /// Uploads files in one commit: all of them are there then, or none. Large files are read as they are sent, and what the hub holds
    /// already is not sent again. Drops and busy servers are tried again, as with downloads.
    /// </summary>
    /// <param name="name">The repository, with its branch; a path in it is the folder that the files go into.</param>
    /// <param name="files">The files; they stay the caller's to dispose of.</param>
    /// <param name="summary">The commit's message.</param>
    /// <param name="progress">Told of large files: stage "uploading", megabytes (10^6 bytes) as steps, the file as item.</param>
    /// <param name="cancellationToken">Ends the upload; nothing is committed then.</param>
    /// <exception cref="ArgumentException">There are no files, or two have one path.</exception>
    /// <exception cref="HubException">The files cannot be uploaded; <see cref="HubException.Fault"/> says of what kind the reason
    /// is.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public Task<HubCommit> UploadAsync(HubName name, IReadOnlyList<HubUploadFile> files, string summary,
        IProgress<WorkProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(files);
        ArgumentException.ThrowIfNullOrWhiteSpace(summary);
        if (files.Count == 0) throw new ArgumentException("There is nothing to upload.", nameof(files));
        if (files.GroupBy(file => file.Path, StringComparer.Ordinal).FirstOrDefault(same => same.Count() > 1) is { } twice)
            throw new ArgumentException($"Two files would be uploaded as {twice.Key}.", nameof(files));
        return _uploads.UploadAsync(name, files, summary, progress, cancellationToken);
    }
}
