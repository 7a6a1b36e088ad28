namespace StableTune.Formats;

/// <summary>A stream that can only be written to, forwards: to stand between a <see cref="TensorPayload"/> and a writer, and count or
/// change what passes.</summary>
public abstract class WriteOnlyStream : Stream
{
    /// <summary>False.</summary>
    public override bool CanRead => false;

    /// <summary>False.</summary>
    public override bool CanSeek => false;

    /// <summary>True.</summary>
    public override bool CanWrite => true;

    /// <summary>Not known.</summary>
    /// <exception cref="NotSupportedException">Always.</exception>
    public override long Length => throw new NotSupportedException();

    /// <summary>Not known.</summary>
    /// <exception cref="NotSupportedException">Always.</exception>
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    /// <summary>Does nothing: what is written is passed on at once.</summary>
    public override void Flush() { }

    /// <summary>Not possible.</summary>
    /// <exception cref="NotSupportedException">Always.</exception>
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <summary>Not possible.</summary>
    /// <exception cref="NotSupportedException">Always.</exception>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <summary>Not possible.</summary>
    /// <exception cref="NotSupportedException">Always.</exception>
    public override void SetLength(long value) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    /// <inheritdoc/>
    public override void WriteByte(byte value) => Write([value]);

    /// <summary>Takes the next bytes.</summary>
    /// <param name="buffer">The bytes; not used after the return.</param>
    public abstract override void Write(ReadOnlySpan<byte> buffer);
}
