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

    [Fact]
    public void TakeLasting_WritesFromWhereNumbersAre_AndCopiesTheRestBeforeTheyChange()
    {
        using var copies = new PayloadCopies(1000) { CopiesLate = true };
        byte[] first = [1, 2, 3], second = [4, 5];
        var taken = copies.TakeLasting([Payload("a", first), Payload("b", second), Payload("c", [])])!;
        Assert.Equal(0, copies.Bytes);
        Assert.Equal([1, 2, 3], Written(taken[0]));
        copies.CopyRest();
        Assert.Equal(second.Length, copies.Bytes);
        Array.Fill(first, (byte)255);
        Array.Fill(second, (byte)255);
        copies.CopyRest();
        Assert.Equal([4, 5], Written(taken[1]));
        Assert.Empty(Written(taken[2]));
        // What was written from where it was is not there any more, and is not taken for what it was.
        Assert.Contains("'a' was written", Assert.Throws<InvalidOperationException>(() => Written(taken[0])).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void TakeLasting_CopiesAtOnce_UnlessToldOtherwise()
    {
        using var copies = new PayloadCopies(3);
        byte[] bytes = [1, 2, 3];
        var taken = copies.TakeLasting([Payload("a", bytes)])!;
        Array.Fill(bytes, (byte)255);
        Assert.Equal([1, 2, 3], Written(taken[0]));
        Assert.Null(copies.TakeLasting([Payload("b", bytes)]));
    }

    /// <summary>What has no room is waited for, and nothing changes before it is written.</summary>
    [Fact]
    public async Task CopyRest_WithoutRoom_WaitsUntilTheRestIsWritten()
    {
        using var copies = new PayloadCopies(2) { CopiesLate = true };
        byte[][] bytes = [[1, 2, 3], [4, 5], [6, 7]];
        var taken = copies.TakeLasting(bytes.Select((one, i) => Payload($"t{i}", one)))!;
        var let = Task.Run(() =>
        {
            copies.CopyRest();
            foreach (var one in bytes) Array.Fill(one, (byte)255);
        });
        await Task.Delay(50);
        Assert.False(let.IsCompleted);
        byte[][] written = [.. taken.Select(Written)];
        await let;
        Assert.Equal([[1, 2, 3], [4, 5], [6, 7]], written);
        Assert.Equal(2, copies.Bytes);
    }

    /// <summary>As when the disk is full: whoever waits must not wait for ever.</summary>
    [Fact]
    public async Task Dispose_LetsGoWhoeverWaits()
    {
        var copies = new PayloadCopies(0) { CopiesLate = true };
        var taken = copies.TakeLasting([Payload("a", [1])])!;
        var let = Task.Run(copies.CopyRest);
        await Task.Delay(20);
        Assert.False(let.IsCompleted);
        copies.Dispose();
        await let.WaitAsync(TimeSpan.FromSeconds(30));
        Assert.Throws<ObjectDisposedException>(() => Written(taken[0]));
    }

    /// <summary>A writer and an update at the same time, many times over: each tensor is written as it was.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(700)]
    [InlineData(1 << 20)]
    public async Task CopyRest_WhileFilesAreWritten_KeepsEveryNumber(long room)
    {
        for (var round = 0; round < 50; round++)
        {
            using var copies = new PayloadCopies(room) { CopiesLate = true };
            byte[][] bytes = [.. Enumerable.Range(0, 40).Select(i => Enumerable.Repeat((byte)(i + round), 100).ToArray())];
            var taken = copies.TakeLasting(bytes.Select((one, i) => Payload($"t{i}", one)))!;
            var writing = Task.Run(() => taken.Select(Written).ToArray());
            copies.CopyRest();
            foreach (var one in bytes) Array.Fill(one, (byte)255);
            var written = await writing;
            for (var i = 0; i < written.Length; i++) Assert.All(written[i], value => Assert.Equal((byte)(i + round), value));
        }
    }

    [Fact]
    public void CopyRest_ATensorThatCannotBeRead_IsTold()
    {
        using var copies = new PayloadCopies(10) { CopiesLate = true };
        Assert.NotNull(copies.TakeLasting([new TensorPayload("a", TensorDType.U8, [3], stream => stream.Write(new byte[2]))]));
        Assert.Contains("'a' wrote 2 bytes", Assert.Throws<InvalidOperationException>(copies.CopyRest).Message, StringComparison.Ordinal);
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
