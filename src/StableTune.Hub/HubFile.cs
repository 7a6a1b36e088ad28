namespace StableTune.Hub;

/// <summary>A file of a repository, as the hub lists it.</summary>
/// <param name="Path">Its path in the repository, with '/' between the pieces.</param>
/// <param name="Size">Its length in bytes.</param>
/// <param name="Id">Its checksum in hexadecimal digits: SHA-256 (64) for large files, git's SHA-1 (40) for the others. Also its name in
/// the cache.</param>
public sealed record HubFile(string Path, long Size, string Id);
