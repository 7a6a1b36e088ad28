namespace StableTune.Formats;

/// <summary>Passes bytes on and holds a tensor to the size its shape promised.</summary>
internal sealed class CountingStream(Stream inner, string name, long size) : WriteOnlyStream
{
    private long _written;

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        _written += buffer.Length;
        if (_written > size)
            throw new InvalidOperationException($"Tensor '{name}' writes more than the {size} bytes that its type and shape take.");
        inner.Write(buffer);
    }

    public void CheckComplete()
    {
        if (_written != size)
            throw new InvalidOperationException($"Tensor '{name}' wrote {_written} bytes, but its type and shape take {size}.");
    }
}
