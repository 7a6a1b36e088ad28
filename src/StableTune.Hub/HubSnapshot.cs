namespace StableTune.Hub;

/// <summary>Where a name of the hub lies on this disk.</summary>
/// <param name="Path">The folder or file, absolute, inside the cache: to be read, not to be written to.</param>
/// <param name="Commit">The commit it belongs to.</param>
/// <param name="FromCache">Whether the server was not needed.</param>
public sealed record HubSnapshot(string Path, string Commit, bool FromCache);
