namespace StableTune.Tensors;

/// <summary>Memory at an address as a span: addresses, unlike spans, cross threads and reach beyond 2 GB.</summary>
internal static unsafe class Addresses
{
    /// <summary>The bytes at an address. Whoever owns the memory keeps it alive.</summary>
    public static Span<byte> Span(nint address, int length) => new((void*)address, length);
}
