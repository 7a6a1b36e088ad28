using StableTune.Formats;

namespace StableTune.Models;

/// <summary>Tells how far writing is, and lets it be cancelled: payloads pass through here on their way to a writer.</summary>
internal sealed class SaveProgress(IProgress<TrainingProgress>? receiver, CancellationToken cancellationToken)
{
    private const double Megabyte = 1e6;

    private long _total, _done;
    private int _reported = -1;

    /// <summary>The same tensors, counted while they are written. All must pass before the first is written.</summary>
    public IReadOnlyList<TensorPayload> Over(IEnumerable<TensorPayload> tensors)
    {
        var counted = new List<TensorPayload>();
        foreach (var tensor in tensors)
        {
            _total += tensor.ByteCount();
            counted.Add(tensor with { Write = stream => tensor.Write(new Counting(this, stream)) });
        }

        return counted;
    }

    private void Report(int bytes)
    {
        cancellationToken.ThrowIfCancellationRequested();
        _done += bytes;
        var megabytes = (int)Math.Round(_done / Megabyte);
        if (megabytes <= _reported) return;
        _reported = megabytes;
        receiver?.Report(new TrainingProgress { Stage = "saving", Step = megabytes, TotalSteps = (int)Math.Round(_total / Megabyte) });
    }

    /// <summary>Passes bytes on and counts them.</summary>
    private sealed class Counting(SaveProgress progress, Stream inner) : Stream
    {
        public override bool CanRead => false;
        public override bool CanSeek => false;
        public override bool CanWrite => true;
        public override long Length => throw new NotSupportedException();
        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }
        public override void Flush() { }
        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();
        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            progress.Report(buffer.Length);
            inner.Write(buffer);
        }
    }
}
