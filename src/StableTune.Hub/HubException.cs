namespace StableTune.Hub;

/// <summary>What kept the hub from giving what was asked for.</summary>
public enum HubFault
{
    /// <summary>There is no such repository, revision or file, or it is hidden from this token.</summary>
    NotFound,

    /// <summary>The repository is private or gated: a token is missing, wrong, or without the right.</summary>
    AccessDenied,

    /// <summary>Only the cache may be used, and it does not hold what was asked for.</summary>
    Offline,

    /// <summary>The server was not reached, or failed again and again.</summary>
    Unreachable,

    /// <summary>The server answered with something that cannot be right: wrong length, wrong checksum, a web page, a path out of the
    /// folder.</summary>
    BadAnswer,

    /// <summary>The disk has too little room.</summary>
    DiskFull,

    /// <summary>The repository is there, but holds nothing of the kind that was asked for.</summary>
    NothingToSelect,

    /// <summary>A file of this disk that is to be uploaded cannot be read, or changed meanwhile.</summary>
    FileUnreadable,

    /// <summary>The hub does not take what is uploaded: too large, no room left, a name that is not allowed.</summary>
    Refused,
}

/// <summary>A repository or file on the hub could not be had, or not be written. The message says what, why, and what to do.</summary>
public sealed class HubException : IOException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="fault">The kind of fault.</param>
    /// <param name="name">The repository or file, as <see cref="HubName"/> writes it.</param>
    /// <param name="reason">What is wrong: a sentence.</param>
    /// <param name="remedy">What to do about it: a sentence.</param>
    /// <param name="inner">What led to this, if anything.</param>
    public HubException(HubFault fault, string name, string reason, string remedy, Exception? inner = null)
        : base($"{name}: {reason} {remedy}", inner) =>
        (Fault, Name, Reason, Remedy) = (fault, name, reason, remedy);

    /// <summary>The kind of fault.</summary>
    public HubFault Fault { get; }

    /// <summary>The hub's own word for the fault, from its header <c>X-Error-Code</c>; empty where it has none.</summary>
    internal string Code { get; init; } = "";

    /// <summary>The repository or file.</summary>
    public string Name { get; }

    /// <summary>What is wrong.</summary>
    public string Reason { get; }

    /// <summary>What to do about it.</summary>
    public string Remedy { get; }
}
