using System.Globalization;
using System.Runtime.InteropServices;
using StableTune.Formats;

namespace StableTune.Checkpoints;

/// <summary>Tells how far writing is, lets it be cancelled, and looks for numbers that float16 has no room for: payloads pass through
/// here on their way to a writer.</summary>
internal sealed class SaveProgress(IProgress<WorkProgress>? receiver, CancellationToken cancellationToken)
{
    private const double Megabyte = 1e6;
    private const ushort Infinity = 0x7C00, MinusInfinity = 0xFC00;

    private readonly OrderedDictionary<string, long> _infinite = new(StringComparer.Ordinal);

    private long _total, _done;
    private int _reported = -1;

    /// <summary>Counts tensors while they are written. All must pass before the first is written.</summary>
    public IReadOnlyList<TensorPayload> Over(IEnumerable<TensorPayload> tensors)
    {
        var counted = new List<TensorPayload>();
        foreach (var tensor in tensors)
        {
            _total += tensor.ByteCount();
            counted.Add(tensor with { Write = stream =>
                tensor.Write(new Counting(this, stream, tensor.DType == TensorDType.F16 ? tensor.Name : null)) });
        }

        return counted;
    }

    /// <summary>What the user should know of the numbers written; mostly nothing.</summary>
    public IEnumerable<string> Notes()
    {
        if (_infinite.Count == 0) yield break;
        var named = string.Join(", ", _infinite.Take(3)
            .Select(entry => $"{entry.Key} ({entry.Value.ToString(CultureInfo.InvariantCulture)})"));
        yield return string.Create(
            CultureInfo.InvariantCulture,
                $"{_infinite.Values.Sum()} numbers in {_infinite.Count} float16 tensors are infinite, as float16 ends at 65504: "
                    + $"{named}{(_infinite.Count > 3 ? ", ..." : "")}. "
            + $"The model will not work as it did: save these parts as bfloat16 or float32 ({nameof(ModelSaveOptions.Precision)}, "
                + $"{nameof(ModelSaveOptions.VaePrecision)} ...).");
    }

    private void Look(string tensor, ReadOnlySpan<ushort> halves)
    {
        var count = 0L;
        for (int at; (at = halves.IndexOfAny(Infinity, MinusInfinity)) >= 0; halves = halves[(at + 1)..]) count++;
        if (count > 0) _infinite[tensor] = _infinite.GetValueOrDefault(tensor) + count;
    }

    private void Report(int bytes)
    {
        cancellationToken.ThrowIfCancellationRequested();
        _done += bytes;
        var megabytes = (int)Math.Round(_done / Megabyte);
        if (megabytes <= _reported) return;
        _reported = megabytes;
        receiver?.Report(new WorkProgress { Stage = "saving", Done = megabytes, Total = (int)Math.Round(_total / Megabyte) });
    }

    /// <summary>Passes bytes on and counts them.</summary>
    /// <param name="progress">Is told.</param>
    /// <param name="inner">Gets them.</param>
    /// <param name="halves">The tensor's name where it is float16, whose payloads write whole numbers; null for others.</param>
    private sealed class Counting(SaveProgress progress, Stream inner, string? halves) : WriteOnlyStream
    {
        public override void Write(ReadOnlySpan<byte> buffer)
        {
            progress.Report(buffer.Length);
            if (halves is not null) progress.Look(halves, MemoryMarshal.Cast<byte, ushort>(buffer));
            inner.Write(buffer);
        }
    }
}
