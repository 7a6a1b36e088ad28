namespace StableTune;

/// <summary>Where a longer piece of work stands: a model being read, a file being downloaded, latents being computed.</summary>
public sealed record WorkProgress
{
    /// <summary>What is being done, for people: "loading", "downloading", "caching latents" ...</summary>
    public required string Stage { get; init; }

    /// <summary>How much is done: images, files, or megabytes (10^6 bytes).</summary>
    public required int Done { get; init; }

    /// <summary>How much there is to do, in the unit of <see cref="Done"/>.</summary>
    public required int Total { get; init; }

    /// <summary>What of it is at hand, for instance the file being downloaded; null where <see cref="Stage"/> says it all.</summary>
    public string? Item { get; init; }

    /// <summary>What is done in a second, in the unit of <see cref="Done"/>; 0 where it is not measured.</summary>
    public double PerSecond { get; init; }

    /// <summary>Estimated time left; null where it is not known.</summary>
    public TimeSpan? Remaining { get; init; }

    /// <summary>One line: "caching latents 3/8".</summary>
    public override string ToString() => string.Create(
        System.Globalization.CultureInfo.InvariantCulture, $"{Stage} {Done}/{Total} {Item}").TrimEnd();
}
