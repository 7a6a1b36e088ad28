using System.Buffers.Binary;

namespace StableTune.Formats;

/// <summary>
/// Writes an event file of TensorBoard: scalars, texts, pictures and histograms by step. Every event is handed to the system at once, so
/// the file of a run that was killed can be read up to its last event. Not thread-safe.
/// </summary>
/// <remarks>
/// Records are framed with masked CRC-32C as TensorFlow's; events are <c>tensorflow.Event</c> messages. Files of one folder are read
/// together, so a run that goes on begins another file.
/// </remarks>
public sealed class TensorBoardFile : IDisposable
{
    private const int WallTime = 1, Step = 2, FileVersion = 3, Summary = 5;       // of an event
    private const int Tag = 1, SimpleValue = 2, Picture = 4, Histo = 5, TensorValue = 8, Metadata = 9;   // of a summary's value
    private const int StringType = 7, Rgb = 3;

    private static int s_files;

    private readonly FileStream _file;
    private readonly TimeProvider _time;

    /// <summary>Begins a file in a folder, which is made when it is missing.</summary>
    /// <param name="folder">The run's folder: TensorBoard calls the run after it.</param>
    /// <param name="time">The clock; the system's when null.</param>
    public TensorBoardFile(string folder, TimeProvider? time = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        _time = time ?? TimeProvider.System;
        Directory.CreateDirectory(folder);
        var (seconds, number) = (_time.GetUtcNow().ToUnixTimeSeconds(), Interlocked.Increment(ref s_files) - 1);
        Path = System.IO.Path.Combine(folder, FormattableString.Invariant(
            $"events.out.tfevents.{seconds:D10}.{Host}.{Environment.ProcessId}.{number}"));
        _file = new FileStream(Path, FileMode.CreateNew, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
        Write(Event(null).Text(FileVersion, "brain.Event:2"));
    }

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>A machine's name as part of a file's.</summary>
    private static string Host =>
        string.Concat(Environment.MachineName.Where(letter => char.IsAsciiLetterOrDigit(letter) || letter == '-'));

    /// <summary>Numbers of a step.</summary>
    /// <param name="values">By tag, such as "loss/current"; what stands before the slash is the group.</param>
    /// <param name="step">The step.</param>
    public void Scalars(IEnumerable<KeyValuePair<string, double>> values, long step)
    {
        ArgumentNullException.ThrowIfNull(values);
        var summary = new ProtoMessage();
        foreach (var (tag, value) in values) summary.Message(1, new ProtoMessage().Text(Tag, tag).Single(SimpleValue, (float)value));
        if (summary.Data.Length > 0) Write(Event(step).Message(Summary, summary));
    }

    /// <summary>A text, which TensorBoard shows as Markdown.</summary>
    /// <param name="tag">Its name.</param>
    /// <param name="text">The text.</param>
    /// <param name="step">The step.</param>
    public void Text(string tag, string text, long step)
    {
        ArgumentNullException.ThrowIfNull(text);
        var plugin = new ProtoMessage().Message(1, new ProtoMessage().Text(1, "text"));
        var shape = new ProtoMessage().Message(2, new ProtoMessage().Whole(1, 1));
        var tensor = new ProtoMessage().Whole(1, StringType).Message(2, shape).Text(8, text);
        Write(step, new ProtoMessage().Text(Tag, tag).Message(TensorValue, tensor).Message(Metadata, plugin));
    }

    /// <summary>A picture.</summary>
    /// <param name="tag">Its name.</param>
    /// <param name="png">The bytes of a PNG file, RGB.</param>
    /// <param name="width">Pixels across.</param>
    /// <param name="height">Pixels down.</param>
    /// <param name="step">The step.</param>
    public void Image(string tag, ReadOnlySpan<byte> png, int width, int height, long step) => Write(step, new ProtoMessage()
        .Text(Tag, tag).Message(Picture, new ProtoMessage().Whole(1, height).Whole(2, width).Whole(3, Rgb).Raw(4, png)));

    /// <summary>How numbers are distributed.</summary>
    /// <param name="tag">Its name.</param>
    /// <param name="limits">The upper end of each bucket, ascending.</param>
    /// <param name="counts">How many numbers lie in each bucket.</param>
    /// <param name="figures">Of all numbers.</param>
    /// <param name="step">The step.</param>
    /// <exception cref="ArgumentException">There are not as many counts as limits.</exception>
    public void Histogram(
        string tag, IReadOnlyCollection<double> limits, IReadOnlyCollection<double> counts, HistogramFigures figures, long step)
    {
        ArgumentNullException.ThrowIfNull(limits);
        ArgumentNullException.ThrowIfNull(counts);
        if (limits.Count != counts.Count)
            throw new ArgumentException($"There are {counts.Count} counts for {limits.Count} buckets: give one each.", nameof(counts));
        Write(step, new ProtoMessage().Text(Tag, tag).Message(Histo, new ProtoMessage()
            .Double(1, figures.Least).Double(2, figures.Greatest).Double(3, figures.Count).Double(4, figures.Sum)
            .Double(5, figures.SumOfSquares).Doubles(6, limits).Doubles(7, counts)));
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    private ProtoMessage Event(long? step)
    {
        var message = new ProtoMessage().Double(WallTime, _time.GetUtcNow().ToUnixTimeMilliseconds() / 1000.0);
        return step is { } at ? message.Whole(Step, at) : message;
    }

    private void Write(long step, ProtoMessage value) => Write(Event(step).Message(Summary, new ProtoMessage().Message(1, value)));

    private void Write(ProtoMessage message)
    {
        var data = message.Data;
        var record = new byte[sizeof(ulong) + sizeof(uint) + data.Length + sizeof(uint)];
        BinaryPrimitives.WriteUInt64LittleEndian(record, (ulong)data.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(8), ProtoMessage.MaskedCrc(record.AsSpan(0, 8)));
        data.CopyTo(record.AsSpan(12));
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(12 + data.Length), ProtoMessage.MaskedCrc(data));
        // One write for each record: a reader never sees half of one that was followed by another.
        _file.Write(record);
        _file.Flush();
    }
}

/// <summary>Figures of all numbers of a histogram.</summary>
/// <param name="Least">The least.</param>
/// <param name="Greatest">The greatest.</param>
/// <param name="Count">How many there are.</param>
/// <param name="Sum">Their sum.</param>
/// <param name="SumOfSquares">The sum of their squares.</param>
public readonly record struct HistogramFigures(double Least, double Greatest, double Count, double Sum, double SumOfSquares);
