namespace StableTune.Training;

/// <summary>What tells a run from others: a number and the time it began. A run that is resumed keeps both.</summary>
internal sealed class RunSession : IResumable
{
    public RunSession(TrainingPlan plan)
    {
        StartedAt = plan.Clock.GetUtcNow();                                  // before loading and caching, as in sd-scripts
        Id = unchecked((uint)new NamedSeeds(plan.Seed).For("session", StartedAt.UtcTicks));
    }

    public string Name => "session";

    /// <summary>A number of 32 bits.</summary>
    public uint Id { get; private set; }

    /// <summary>When the run began.</summary>
    public DateTimeOffset StartedAt { get; private set; }

    /// <summary>What is odd about a state that was taken all the same.</summary>
    public List<string> Warnings { get; } = [];

    public void Save(StateWriter writer)
    {
        writer.Number("id", (long)Id);
        writer.Number("started_at_ticks", StartedAt.UtcTicks);
    }

    public void Load(StateReader reader) =>
        (Id, StartedAt) = (unchecked((uint)reader.Long("id")), new DateTimeOffset(reader.Long("started_at_ticks"), TimeSpan.Zero));
}
