namespace StableTune.Training;

/// <summary>A file or folder that a run has written.</summary>
/// <param name="Path">Where.</param>
/// <param name="Step">After which step it was written last.</param>
/// <param name="Reason">Why.</param>
internal sealed record WrittenFile(string Path, int Step, SaveReason Reason);

/// <summary>Pictures that were drawn at one moment.</summary>
/// <param name="Step">After which step.</param>
/// <param name="Files">The pictures; a contact sheet is not among them.</param>
internal sealed record DrawnSamples(int Step, IReadOnlyList<string> Files);

/// <summary>What happened in a run, as far as reports tell it. A run that is resumed goes on with the record of the state.</summary>
internal sealed class RunRecord
{
    private const string ContactSheet = "contact-sheet.png";

    private readonly Dictionary<string, StepSeries> _rates = [];
    private readonly OrderedDictionary<string, WrittenFile> _files = new(StringComparer.Ordinal);
    private readonly List<DrawnSamples> _samples = [];
    private PeakMemory? _peak;

    public TrainingStart? Started { get; private set; }

    /// <summary>Steps that the run's clock has measured: one that began later counts from there.</summary>
    public int Steps => Last is { } last ? Math.Max(0, last.Step - (Started?.FirstStep ?? 0)) : 0;

    /// <summary>The last step.</summary>
    public TrainingProgress? Last { get; private set; }

    /// <summary>What savers were told of the run; null before the first save.</summary>
    public RunDescription? Description { get; private set; }

    public TrainingEnd? Ended { get; private set; }

    public DateTimeOffset StartedAt { get; private set; }

    public DateTimeOffset EndedAt { get; private set; }

    public StepSeries Loss { get; } = new();

    public StepSeries ValidationLoss { get; } = new();

    public IReadOnlyDictionary<string, StepSeries> Rates => _rates;

    public IEnumerable<WrittenFile> Files => _files.Values;

    public IReadOnlyList<DrawnSamples> Samples => _samples;

    /// <summary>The most memory of the process that was seen after a step, bytes.</summary>
    public long ResidentPeak { get; private set; }

    /// <summary>The most memory that was needed, bytes; null where nobody says.</summary>
    public long? Peak => _peak?.Bytes;

    public TrainingPlan Plan => Started!.Plan;

    /// <summary>How the run ended, in a word.</summary>
    public string Outcome => Ended switch
    {
        null => "running",
        { Fault: null } => Started is { } start && Ended.Step < start.TotalSteps ? "stopped early" : "finished",
        { Fault: OperationCanceledException } => "cancelled",
        _ => "failed",
    };

    public void Start(TrainingStart start)
    {
        Started = start;
        StartedAt = start.Plan.Clock.GetLocalNow();
        _peak = new PeakMemory(start.Plan.Device ?? (cuda.is_available() ? new Device("cuda") : CPU));
    }

    public void Add(TrainingProgress progress)
    {
        Last = progress;
        Loss.Add(progress.Step, progress.Loss);
        ResidentPeak = Math.Max(ResidentPeak, progress.ResidentBytes);
        _peak?.OnStep(progress);
        foreach (var (name, rate) in progress.LearningRates)
        {
            if (!_rates.TryGetValue(name, out var series)) _rates.Add(name, series = new StepSeries());
            series.Add(progress.Step, rate);
        }
    }

    public void Add(TrainingValidation validation) => ValidationLoss.Add(validation.Step, validation.Loss);

    public void Add(SaveMoment moment, IReadOnlyList<string> files)
    {
        Description = moment.Run;
        foreach (var file in files)
        {
            _files.Remove(file);
            _files.Add(file, new WrittenFile(file, moment.Step, moment.Reason));
        }
    }

    public void AddSamples(int step, IReadOnlyList<string> files) => _samples.Add(new DrawnSamples(step,
        [.. files.Where(file => !Path.GetFileName(file).EndsWith(ContactSheet, StringComparison.Ordinal))]));

    public void End(TrainingEnd end)
    {
        Ended = end;
        if (Started is not null) EndedAt = Plan.Clock.GetLocalNow();
    }

    public void Save(StateWriter writer)
    {
        Loss.Save(writer, "loss");
        ValidationLoss.Save(writer, "validation");
        writer.Texts("rates", _rates.Keys);
        foreach (var (name, series) in _rates) series.Save(writer, "rate " + name);
        writer.Texts("files", _files.Keys);
        writer.Numbers("file steps", _files.Values.Select(file => (double)file.Step));
        writer.Texts("file reasons", _files.Values.Select(file => file.Reason.ToString()));
        writer.Numbers("sample steps", _samples.Select(drawn => (double)drawn.Step));
        for (var i = 0; i < _samples.Count; i++) writer.Texts($"samples {i}", _samples[i].Files);
    }

    public void Load(StateReader reader)
    {
        Loss.Load(reader, "loss");
        ValidationLoss.Load(reader, "validation");
        foreach (var name in reader.Texts("rates"))
        {
            _rates[name] = new StepSeries();
            _rates[name].Load(reader, "rate " + name);
        }

        var (steps, reasons) = (reader.Doubles("file steps"), reader.Texts("file reasons").ToList());
        foreach (var (file, i) in reader.Texts("files").Select((file, i) => (file, i)))
            if (i < steps.Count && i < reasons.Count && Enum.TryParse<SaveReason>(reasons[i], out var reason))
                _files[file] = new WrittenFile(file, (int)steps[i], reason);
        foreach (var (step, i) in reader.Doubles("sample steps").Select((step, i) => (step, i)))
            _samples.Add(new DrawnSamples((int)step, [.. reader.Texts($"samples {i}")]));
    }
}
