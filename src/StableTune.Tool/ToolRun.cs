using Spectre.Console;

namespace StableTune.Tool;

/// <summary>One run of a command: where it says what, and how it is cancelled.</summary>
/// <param name="Output">Results.</param>
/// <param name="Progress">Told how far the work is.</param>
/// <param name="Cancellation">Set by Ctrl+C.</param>
internal sealed record ToolRun(TextWriter Output, IProgress<WorkProgress> Progress, CancellationToken Cancellation)
{
    private readonly List<string> _notes = [];

    /// <summary>Says something at once, while the work goes on.</summary>
    public Action<string> Say { get; init; } = _ => { };

    /// <summary>The next key that somebody pressed; null where nobody sits at a keyboard.</summary>
    public Func<char?>? Keys { get; init; }

    /// <summary>What the user should know, written to the place of errors when the command is done.</summary>
    public IReadOnlyList<string> Notes => _notes;

    /// <summary>Adds notes.</summary>
    public void Note(IEnumerable<string> notes) => _notes.AddRange(notes);

    /// <summary>Runs work with a bar for each of its stages, on the calling thread. Results are written when the bars are gone.</summary>
    public static ToolRun Start(ToolConsole console, Action<ToolRun> work, CancellationToken cancellationToken)
    {
        using var results = new StringWriter { NewLine = console.Output.NewLine };
        ToolRun? run = null;
        try
        {
            if (console.Display is { } display)
                display.Progress()
                    .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
                    .Start(context => Run(new Bars(context)));
            else Run(new Silent());
            return run!;
        }
        finally
        {
            console.Output.Write(results);
        }

        void Run(IProgress<WorkProgress> progress) =>
            work(run = new ToolRun(results, progress, cancellationToken) { Say = console.Say, Keys = console.Keys });
    }

    private sealed class Silent : IProgress<WorkProgress>
    {
        public void Report(WorkProgress value) { }
    }

    /// <summary>One bar for each stage; reports come from several threads.</summary>
    private sealed class Bars(ProgressContext context) : IProgress<WorkProgress>
    {
        private readonly Dictionary<string, ProgressTask> _stages = new(StringComparer.Ordinal);

        public void Report(WorkProgress value)
        {
            lock (_stages)
            {
                if (!_stages.TryGetValue(value.Stage, out var bar))
                    _stages.Add(value.Stage, bar = context.AddTask(Markup.Escape(value.Stage)));
                if (value.Item is { } item) bar.Description = Markup.Escape($"{value.Stage} {item}");
                (bar.MaxValue, bar.Value) = (Math.Max(1, value.Total), value.Total == 0 ? 1 : value.Done);
            }
        }
    }
}
