using System.Diagnostics.CodeAnalysis;

namespace StableTune.Hub;

/// <summary>
/// The name of a repository on the hub, or of a file or folder in one, as people write it:
/// <c>owner/name</c>, <c>owner/name@revision</c>, <c>owner/name/path/in/repo.safetensors</c>, each with <c>:revision</c> or
/// <c>:revision:type</c>
/// behind it. Always valid: made by <see cref="Parse"/> and <see cref="TryParse"/>.
/// </summary>
public sealed record HubName
{
    internal HubName(string owner, string name, string? path, string? revision, HubRepositoryType type) =>
        (Owner, Name, Path, Revision, Type) = (owner, name, path, revision, type);

    /// <summary>The user or organisation.</summary>
    public string Owner { get; }

    /// <summary>The repository's name, without its owner.</summary>
    public string Name { get; }

    /// <summary>A file or folder in the repository, with '/' between its pieces; null for the repository as a whole.</summary>
    public string? Path { get; }

    /// <summary>A branch, a tag or a commit; null where none was written.</summary>
    public string? Revision { get; }

    /// <summary>The kind of repository; a model where none was written.</summary>
    public HubRepositoryType Type { get; }

    /// <summary><c>owner/name</c>, the repository's address on the hub.</summary>
    public string Repository => $"{Owner}/{Name}";

    /// <summary>Whether a text is to be read as a path on this disk, not as a name on the hub.</summary>
    /// <remarks>
    /// So read are: what begins with '.', '/', '\', '~', '$', '%' or a drive letter, what holds a backslash or ends with '/', what has no
    /// '/' at all, and
    /// <c>folder/file.ext</c> with an extension of weights (a repository's name with such an ending is not one that people use).
    /// </remarks>
    public static bool LooksLikePath(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return HubNameParser.LooksLikePath(text);
    }

    /// <summary>Reads a name.</summary>
    /// <exception cref="FormatException">The text is no name on the hub; the message says what is wrong with it.</exception>
    public static HubName Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return TryParse(text, out var name, out var problem) ? name
            : throw new FormatException($"\"{text}\" is no name on the hub: {problem}.");
    }

    /// <summary>Reads a name.</summary>
    /// <param name="text">The text.</param>
    /// <param name="name">The name.</param>
    /// <param name="problem">What is wrong with the text: lower case, without a full stop; empty when nothing is.</param>
    public static bool TryParse([NotNullWhen(true)] string? text, [NotNullWhen(true)] out HubName? name, out string problem)
    {
        (name, problem) = HubNameParser.Read(text ?? "");
        return name is not null;
    }

    /// <summary>A copy of this name at another revision.</summary>
    /// <param name="revision">A branch, a tag or a commit; null for none.</param>
    /// <exception cref="FormatException">This is no revision.</exception>
    public HubName At(string? revision)
    {
        if (revision is not null && HubNameParser.RevisionProblem(revision) is { } problem)
            throw new FormatException($"\"{revision}\" is no revision: {problem}.");
        return new HubName(Owner, Name, Path, revision, Type);
    }

    /// <summary>The name of another file or folder of the same repository, at the same revision.</summary>
    /// <param name="path">The file or folder, with '/' between its pieces; null for the repository as a whole.</param>
    /// <exception cref="FormatException">There can be no such path; the message says why.</exception>
    public HubName WithPath(string? path)
    {
        if (path is not null && HubPath.Problem(path) is { } problem)
            throw new FormatException($"\"{path}\" is no path in a repository: {problem}.");
        return new HubName(Owner, Name, path, Revision, Type);
    }

    /// <summary>The name as <see cref="Parse"/> reads it.</summary>
    public override string ToString()
    {
        var address = Path is null ? Repository : $"{Repository}/{Path}";
        if (Type != HubRepositoryType.Model) return $"{address}:{Revision ?? HubNameParser.DefaultRevision}:{HubNameParser.Word(Type)}";
        return Revision is null ? address : $"{address}:{Revision}";
    }
}
