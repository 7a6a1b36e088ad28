namespace StableTune.Formats.Tests;

/// <summary>Memory that copies share one after the other.</summary>
public sealed class CopyMemoryTests
{
    [Fact]
    public void Rent_AfterAReturn_GivesTheSameMemory_UnlessItIsFarTooLarge()
    {
        using var memory = new CopyMemory(1000);
        var first = memory.Rent(100);
        memory.Return(first);
        Assert.Same(first, memory.Rent(90));
        memory.Return(first);
        using var small = memory.Rent(10);
        Assert.NotSame(first, small);
        using var large = memory.Rent(101);
        Assert.NotSame(first, large);
    }

    [Fact]
    public void Return_OfMoreThanIsKept_GivesItBack()
    {
        using var memory = new CopyMemory(150);
        var (first, second) = (memory.Rent(100), memory.Rent(100));
        memory.Return(first);
        memory.Return(second);
        Assert.Equal((false, true), (first.IsClosed, second.IsClosed));
        memory.Dispose();
        Assert.True(first.IsClosed);
        // What was out meanwhile goes when it comes back.
        var late = memory.Rent(10);
        memory.Return(late);
        Assert.True(late.IsClosed);
    }

    [Fact]
    public void Copies_InMemoryThatWasUsed_HoldTheirOwnBytes_AndAreGoneWhenDisposed()
    {
        using var memory = new CopyMemory(1000);
        foreach (var value in new byte[] { 1, 2 })
        {
            var copies = new PayloadCopies(1000, memory);
            var taken = copies.Take([Payload("a", value, 7), Payload("none", value, 0), Payload("b", (byte)(value + 10), 5)])!;
            Assert.Equal([Filled(value, 7), [], Filled((byte)(value + 10), 5)], taken.Select(Bytes));
            copies.Dispose();
            Assert.Throws<ObjectDisposedException>(() => Bytes(taken[0]));
        }
    }

    private static byte[] Filled(byte value, int count) => [.. Enumerable.Repeat(value, count)];

    private static TensorPayload Payload(string name, byte value, int count) =>
        new(name, TensorDType.U8, [count], stream => stream.Write(Filled(value, count)));

    private static byte[] Bytes(TensorPayload payload)
    {
        using var stream = new MemoryStream();
        payload.Write(stream);
        return stream.ToArray();
    }
}
