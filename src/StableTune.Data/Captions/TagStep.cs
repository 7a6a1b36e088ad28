namespace StableTune.Data;

/// <summary>Divides a caption into parts, of which some stay in place; of the others warm-up takes the first few, shuffling mixes them,
/// and dropout leaves some out.</summary>
internal sealed class TagStep(CaptionOptions options) : ICaptionStep
{
    public VaryingOption? VariesBecauseOf { get; } =
        options.Shuffle ? new("CaptionOptions.Shuffle", true)
        : options.WarmupSteps > 0 ? new("CaptionOptions.WarmupSteps", options.WarmupSteps)
        : new("CaptionOptions.TagDropoutRate", options.TagDropoutRate);

    public string Apply(string caption, in CaptionUse use)
    {
        var (head, movable, tail) = Divide(caption);
        movable = WarmUp(movable, use);
        if (options.Shuffle) use.Random.Shuffle(movable);
        if (options.TagDropoutRate > 0)
        {
            var random = use.Random;
            movable = [.. movable.Where(_ => random.NextDouble() >= options.TagDropoutRate)];
        }

        return string.Join(", ", [.. head, .. movable, .. tail]);
    }

    private (string[] Head, string[] Movable, string[] Tail) Divide(string caption)
    {
        if (options.KeepTokensSeparator is { } mark && caption.Contains(mark, StringComparison.Ordinal))
        {
            var parts = caption.Split(mark, 3);                              // a third mark is ordinary text of the tail
            return (Filled(parts[0]), Filled(parts[1]), parts.Length > 2 ? Filled(parts[2]) : []);
        }

        var all = caption.Trim().Split(options.Separator, StringSplitOptions.TrimEntries);
        var kept = Math.Min(options.KeepTokens, all.Length);
        return (all[..kept], all[kept..], []);
    }

    private string[] Filled(string text) =>
        text.Split(options.Separator, StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);

    private string[] WarmUp(string[] movable, in CaptionUse use)
    {
        if (options.WarmupSteps <= 0) return movable;
        var steps = options.WarmupSteps < 1 ? Math.Floor(options.WarmupSteps * use.TotalSteps) : options.WarmupSteps;
        if (use.Step >= steps) return movable;
        // The quotient first, as the reference computes it: the order decides which whole number the floor finds.
        var count = (int)Math.Floor(use.Step * ((movable.Length - options.WarmupMin) / steps)) + options.WarmupMin;
        return movable[..Math.Clamp(count, 0, movable.Length)];
    }
}
