namespace StableTune.Formats.Tests;

/// <summary>Copies of tensors' bytes, from which files are written later.</summary>
public sealed class PayloadCopiesTests
{
    [Fact]
    public void Take_CopiesWhatTensorsHoldNow()
    {
        using var copies = new PayloadCopies(1000);
        byte[][] bytes = [.. Enumerable.Range(0, 20).Select(i => Enumerable.Repeat((byte)i, i).ToArray())];
        var taken = copies.Take(bytes.Select((one, i) => Payload($"t{i}", one)))!;
        Assert.Equal(bytes.Sum(one => one.Length), copies.Bytes);
        var before = bytes.Select(one => one.ToArray()).ToArray();
        foreach (var one in bytes) Array.Fill(one, (byte)255);
        for (var i = 0; i < bytes.Length; i++)
        {
            Assert.Equal(($"t{i}", TensorDType.U8), (taken[i].Name, taken[i].DType));
            // As often as it is asked for.
            Assert.Equal(before[i], Written(taken[i]));
            Assert.Equal(before[i], Written(taken[i]));
        }
    }

    [Fact]
    public void Take_MoreThanTheCopiesMayTake_CopiesNothing()
    {
        using var copies = new PayloadCopies(10);
        Assert.NotNull(copies.Take([Payload("a", new byte[6])]));
        Assert.Null(copies.Take([Payload("b", new byte[2]), new TensorPayload("c", TensorDType.U8, [3], _ => Assert.Fail("was asked"))]));
        Assert.Equal(6, copies.Bytes);
        Assert.NotNull(copies.Take([Payload("d", new byte[4])]));
    }

    [Theory]
    [InlineData(2, "'a' wrote 2 bytes")]
    [InlineData(4, "'a' writes more than the 3 bytes")]
    public void Take_ATensorOfAnotherSize_IsRefused(int written, string told)
    {
        using var copies = new PayloadCopies(10);
        Assert.Contains(told, Assert.Throws<InvalidOperationException>(() => copies.Take(
            [new TensorPayload("a", TensorDType.U8, [3], stream => stream.Write(new byte[written]))])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Dispose_FreesTheCopies_AndClosesWhatIsKept()
    {
        var copies = new PayloadCopies(10);
        var kept = new MemoryStream();
        copies.Keep(kept);
        var taken = copies.Take([Payload("a", [1, 2])])!;
        copies.Dispose();
        copies.Dispose();
        Assert.False(kept.CanRead);
        Assert.Equal(0, copies.Bytes);
        Assert.Throws<ObjectDisposedException>(() => Written(taken[0]));
    }

    private static TensorPayload Payload(string name, byte[] bytes) =>
        new(name, TensorDType.U8, [bytes.Length], stream => stream.Write(bytes));

    private static byte[] Written(TensorPayload tensor)
    {
        using var stream = new MemoryStream();
        tensor.Write(stream);
        return stream.ToArray();
    }
}
