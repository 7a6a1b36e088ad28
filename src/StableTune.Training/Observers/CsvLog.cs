using System.Globalization;
using StableTune.Training;

namespace StableTune;

/// <summary>
/// Writes a table with a row for each step: step, epoch, losses, rates and whatever else is measured, for spreadsheets. Columns are those
/// of
/// the first step. Each row is handed to the system before the next step begins.
/// </summary>
/// <param name="path">The file; an older one is replaced when a run starts; a run that is resumed continues it.</param>
public sealed class CsvLog(string path) : ITrainingObserver, IResumable
{
    private StreamWriter? _writer;
    private string[] _columns = [];
    private long _length;

    /// <inheritdoc/>
    public IEnumerable<OptionProblem> Validate()
    {
        if (!AtomicFile.CanWrite(path, out var reason))
            yield return new OptionProblem($"{nameof(CsvLog)}.path", path, reason, "name a file in a folder that can be written to");
    }

    /// <inheritdoc/>
    public void OnStart(TrainingStart start)
    {
        ArgumentNullException.ThrowIfNull(start);
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        var mode = start.ResumedAt is null ? FileMode.Create : FileMode.OpenOrCreate;
        var file = new FileStream(path, mode, FileAccess.Write, FileShare.Read);
        // What was written after the state will be written again.
        if (start.ResumedAt is not null) file.SetLength(Math.Min(_length, file.Length));
        else _columns = [];
        file.Seek(0, SeekOrigin.End);
        _writer = new StreamWriter(file);
    }

    /// <inheritdoc/>
    public void OnStep(TrainingProgress progress)
    {
        ArgumentNullException.ThrowIfNull(progress);
        if (_writer is not { } writer) return;
        var values = TrackedValues.OfStep(progress).ToDictionary(StringComparer.Ordinal);
        if (_columns.Length == 0)
        {
            _columns = [.. values.Keys];
            writer.WriteLine(string.Join(',', _columns.Select(Quoted).Prepend("epoch").Prepend("step")));
        }

        var numbers = _columns.Select(column => values.TryGetValue(column, out var value)
            ? value.ToString("R", CultureInfo.InvariantCulture) : "");
        writer.WriteLine(FormattableString.Invariant($"{progress.Step},{progress.Epoch},{string.Join(',', numbers)}"));
        writer.Flush();
    }

    /// <inheritdoc/>
    public void OnEnd(TrainingEnd end)
    {
        _writer?.Dispose();
        _writer = null;
    }

    private static string Quoted(string name) =>
        name.AsSpan().IndexOfAny(",\"\n") < 0 ? name : $"\"{name.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    string IResumable.Name => nameof(CsvLog);

    void IResumable.Save(StateWriter writer)
    {
        writer.Number("length", _writer?.BaseStream.Length ?? 0);
        writer.Texts("columns", _columns);
    }

    void IResumable.Load(StateReader reader)
    {
        _length = reader.Long("length");
        _columns = [.. reader.Texts("columns")];
    }
}
