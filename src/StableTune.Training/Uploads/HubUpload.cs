using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using StableTune.Hub;
using StableTune.Training;

namespace StableTune;

/// <summary>
/// Uploads what a run saves to a repository on the hub, each save as a commit, and a model card at its end. Whether the repository can be
/// written to is asked before anything is prepared. Files are opened when they are saved, so that what is uploaded is what was saved, also
/// when it is removed or replaced soon after. (Not on Windows; see <see cref="HubUploadFile"/>.)
/// </summary>
public sealed partial class HubUpload : ITrainingObserver, IResumable, IDisposable
{
    private readonly ConcurrentQueue<(string What, Exception Fault)> _failures = new();
    private readonly ConcurrentQueue<string> _uploaded = new();
    private readonly HashSet<string> _brought = new(StringComparer.Ordinal);
    private RunRecord _record = new();
    private ILogger _logger = NullLogger.Instance;
    private HubClient? _client;
    private UploadQueue? _queue;
    private HubName? _place;

    /// <summary>Uploads as the options say.</summary>
    public HubUpload(HubUploadOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        Options = options;
    }

    /// <summary>What is uploaded, and how.</summary>
    public HubUploadOptions Options { get; private init; }

    /// <summary>What could not be uploaded, a sentence each.</summary>
    public IReadOnlyList<string> Failures => [.. _failures.Select(failure => $"{failure.What} was not uploaded. {failure.Fault.Message}")];

    /// <summary>The paths in the repository that were uploaded, in order.</summary>
    public IReadOnlyList<string> Uploaded => [.. _uploaded];

    /// <inheritdoc/>
    public IEnumerable<string> Warnings => Failures;

    /// <inheritdoc/>
    public bool FaultsEndTheRun => Options.FailuresEndTheRun;

    /// <inheritdoc/>
    public IEnumerable<OptionProblem> Validate()
    {
        var problems = Options.Validate().ToList();
        if (problems.Count > 0) return problems;
        try
        {
            using var client = Client(NullLogger.Instance);
            if (client.HasToken && !client.IsOffline) return [];
            return [client.IsOffline
                ? new OptionProblem("HubOptions.Offline", true, "an upload needs the hub, and only the cache may be used",
                    "unset HF_HUB_OFFLINE, or leave the upload out")
                : new OptionProblem("HubOptions.Token", null, "an upload needs a token",
                    "set HF_TOKEN, log in with hf auth login, or leave the upload out")];
        }
        catch (InvalidOptionsException e)
        {
            return e.Problems;
        }
        catch (InvalidFileException e)
        {
            return [new OptionProblem("HubOptions.Token", "(not shown)", e.Message.TrimEnd('.'), "mend the file, or set HF_TOKEN")];
        }
    }

    /// <inheritdoc/>
    public void OnPrepare(TrainingPlan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        Close();
        _logger = plan.Logger ?? NullLogger.Instance;
        _failures.Clear();
        _uploaded.Clear();
        _brought.Clear();
        using var client = Client(_logger);
        _place = Options.PlaceBy(client);
        client.EnsureRepositoryAsync(_place, Options.Visibility).GetAwaiter().GetResult();
    }

    /// <inheritdoc/>
    public void OnStart(TrainingStart start)
    {
        ArgumentNullException.ThrowIfNull(start);
        _client = Client(_logger);
        _place ??= Options.PlaceBy(_client);
        if (start.ResumedAt is null) _record = new RunRecord();
        _record.Start(start);
        if (Options.InBackground) _queue = new UploadQueue(Options.MostWaiting, Upload);
    }

    /// <inheritdoc/>
    public void OnStep(TrainingProgress progress)
    {
        ArgumentNullException.ThrowIfNull(progress);
        _record.Add(progress);
        ThrowIfFatal();
    }

    /// <inheritdoc/>
    public void OnValidation(TrainingValidation validation)
    {
        ArgumentNullException.ThrowIfNull(validation);
        _record.Add(validation);
    }

    /// <inheritdoc/>
    public void OnSample(int step, IReadOnlyList<string> files)
    {
        ArgumentNullException.ThrowIfNull(files);
        _record.AddSamples(step, files);
    }

    /// <inheritdoc/>
    public void OnSave(SaveMoment moment, IReadOnlyList<string> files)
    {
        ArgumentNullException.ThrowIfNull(moment);
        ArgumentNullException.ThrowIfNull(files);
        _record.Add(moment, files);
        if (_client is null || (Options.OnlyAtEnd && moment.Reason != SaveReason.End)) return;
        foreach (var path in files)
            if ((Options.States || !StateFolder.IsState(path)) && Bring(Path.GetFileName(path), moment.Step, () => Opened(path)))
                _brought.Add(path);
        ThrowIfFatal();
    }

    /// <inheritdoc/>
    public void OnEnd(TrainingEnd end)
    {
        ArgumentNullException.ThrowIfNull(end);
        if (_client is null || _record.Started is null)
        {
            Close();
            return;
        }

        _record.End(end);
        try
        {
            var waited = Stopwatch.StartNew();
            _queue?.LimitTo(Options.LongestWait);
            // A card tells of what was uploaded: that of an earlier run stays where this one has brought nothing.
            if (Options.Card && _brought.Count > 0) Bring("the model card", end.Step, Card);
            _queue?.Finish(Options.LongestWait - waited.Elapsed);
        }
        finally
        {
            Close();
        }

        if (end.Fault is null) ThrowIfFatal();
    }

    /// <summary>Gives up what waits, and closes the connection. A run does that at its end.</summary>
    public void Dispose() => Close();

    string IResumable.Name => nameof(HubUpload);

    void IResumable.Save(StateWriter writer)
    {
        _record.Save(writer);
        writer.Texts("brought", _brought.Order(StringComparer.Ordinal));
    }

    void IResumable.Load(StateReader reader)
    {
        _record = new RunRecord();
        _record.Load(reader);
        if (reader.Has("brought")) _brought.UnionWith(reader.Texts("brought"));
    }

    private HubClient Client(ILogger logger) => new((Options.Hub ?? new HubOptions()) with { CheckForUpdates = true }, logger);

    private void Close()
    {
        _queue?.Dispose();
        _client?.Dispose();
        (_queue, _client) = (null, null);
    }

    /// <summary>Hands files over to be uploaded, or uploads them at once; whether there were any.</summary>
    private bool Bring(string what, int step, Func<IReadOnlyList<HubUploadFile>> open)
    {
        try
        {
            var files = open();
            if (files.Count == 0) return false;
            var job = new UploadJob(string.Create(CultureInfo.InvariantCulture, $"{what}, step {step}"), files);
            if (_queue is not { } queue)
                using (job) Upload(job, CancellationToken.None);
            else if (!queue.TryAdd(job))
                using (job) GivenUp(job.Summary);
            return true;
        }
        catch (OperationCanceledException)
        {
            GivenUp(what);
            return false;
        }
        catch (Exception e) when (e is HubException or IOException or UnauthorizedAccessException or ArgumentException)
        {
            Failed(what, e);
            return false;
        }
    }

    private void Upload(UploadJob job, CancellationToken cancellationToken)
    {
        try
        {
            var commit = _client!.UploadAsync(_place!, job.Files, job.Summary, null, cancellationToken).GetAwaiter().GetResult();
            foreach (var file in commit.Files) _uploaded.Enqueue(file);
        }
        catch (OperationCanceledException)
        {
            GivenUp(job.Summary);
        }
        // Whatever it is, it must not end the thread: it is told, and ends the run if that is wanted.
        catch (Exception e)
        {
            Failed(job.Summary, e);
        }
    }

    private void GivenUp(string what) => Failed(what, new TimeoutException(
        $"It was not done {Options.LongestWait.TotalSeconds:0} s after the run had ended. Upload it by hand, or raise "
        + "HubUploadOptions.LongestWait."));

    private void Failed(string what, Exception fault)
    {
        _failures.Enqueue((what, fault));
        LogFailed(_logger, what, fault.Message);
    }

    private void ThrowIfFatal()
    {
        if (Options.FailuresEndTheRun && _failures.TryPeek(out var first))
            throw new IOException($"{first.What} was not uploaded. {first.Fault.Message}", first.Fault);
    }

    /// <summary>A file by its name, a folder with its files; what lies in a folder of its own step keeps that.</summary>
    private static IReadOnlyList<HubUploadFile> Opened(string path)
    {
        var full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        var name = Path.GetFileName(full);
        if (Path.GetFileName(Path.GetDirectoryName(full)) is { } parent && parent.StartsWith("checkpoint-", StringComparison.Ordinal))
            name = $"{parent}/{name}";
        return Directory.Exists(full) ? HubUploadFile.FromFolder(name, full) : [HubUploadFile.FromFile(name, full)];
    }

    private IReadOnlyList<HubUploadFile> Card()
    {
        if (WrittenByHand())
        {
            LogCardKept(_logger, _place!);
            return [];
        }

        List<HubUploadFile> files = [];
        var pictures = new List<CardPicture>();
        foreach (var picture in Options.Samples ? _record.Samples.LastOrDefault()?.Files ?? [] : [])
        {
            if (!File.Exists(picture)) continue;
            var path = "samples/" + Path.GetFileName(picture);
            files.Add(HubUploadFile.FromFile(path, picture));
            pictures.Add(new CardPicture(path, ReportSamples.PromptOf(picture) ?? ""));
        }

        files.Add(HubUploadFile.FromText("README.md", ModelCardText.Write(_record, pictures,
            _record.Files.Where(file => _brought.Contains(file.Path)))));
        return files;
    }

    /// <summary>Whether the repository has a README that no run has written.</summary>
    private bool WrittenByHand()
    {
        var card = _place!.Path is { } folder ? folder + "/README.md" : "README.md";
        var given = _queue?.Given ?? CancellationToken.None;
        if (!_client!.ListAsync(_place, cancellationToken: given).GetAwaiter().GetResult().Any(file => file.Path == card)) return false;
        var name = HubName.Parse($"{_place.Repository}/{card}:{_place.Revision}:{_place.Type.ToString().ToLowerInvariant()}");
        var text = File.ReadAllText(_client.Resolve(name, HubSelection.All, cancellationToken: given).Path);
        return !text.Contains(ModelCardText.Mark, StringComparison.Ordinal);
    }

    [LoggerMessage(30, LogLevel.Warning, "{What} was not uploaded. {Reason}")]
    private static partial void LogFailed(ILogger logger, string what, string reason);

    [LoggerMessage(31, LogLevel.Information, "{Name}: the README.md there was not written by a run, and is left as it is")]
    private static partial void LogCardKept(ILogger logger, HubName name);
}
