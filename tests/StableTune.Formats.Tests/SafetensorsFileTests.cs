namespace StableTune.Formats.Tests;

public sealed class SafetensorsFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Open_EveryDType_GivesItsBytesInBothWays()
    {
        var random = new Random(1);
        var types = Enum.GetValues<TensorDType>();
        var contents = types.ToDictionary(type => type.Name(), type =>
        {
            var bytes = new byte[6 * type.Size()];
            random.NextBytes(bytes);
            return (Type: type, Bytes: bytes);
        });
        var path = _folder.File("all.safetensors");
        SafetensorsWriter.Write(path, contents.Select(c => RawFile.Payload(c.Key, c.Value.Type, [2, 3], c.Value.Bytes)));

        using var file = SafetensorsFile.Open(path);
        Assert.Equal(15, file.Tensors.Count);
        Assert.All(file.Tensors, info =>
        {
            Assert.Equal(contents[info.Name].Type, info.DType);
            Assert.Equal([2, 3], info.Shape);
            Assert.Equal(6, info.ElementCount);
            Assert.Equal(contents[info.Name].Bytes, file.Span(info.Name).ToArray());
            var read = new byte[info.ByteCount];
            file.Read(info, read);
            Assert.Equal(contents[info.Name].Bytes, read);
            Assert.Equal(0, file.Pointer(info) % info.DType.Size());
        });
    }

    [Fact]
    public void Open_ScalarsAndEmptyTensors_AreLegal()
    {
        const string header = """
            {"__metadata__":{"format":"pt","note":"ä \"quoted\""},"none":{"dtype":"F16","shape":[3,0],"data_offsets":[4,4]},
             "scalar":{"dtype":"F32","shape":[],"data_offsets":[0,4],"more":{"unknown":[1]}}}
            """;
        RawFile.Open(_folder, RawFile.Bytes(header + "   ", 4), file =>
        {
            Assert.Equal(1, file["scalar"].ElementCount);
            Assert.Equal(0, file["none"].ElementCount);
            Assert.True(file.Span("none").IsEmpty);
            file.Read(file["none"], []);
            Assert.Equal(["none", "scalar"], file.Tensors.Select(t => t.Name));
            Assert.Equal("ä \"quoted\"", file.Metadata["note"]);
            Assert.Equal(["format", "note"], file.Metadata.Keys);
        });
        RawFile.Open(_folder, RawFile.Bytes("{}"), file =>
        {
            Assert.Empty(file.Tensors);
            Assert.Empty(file.Metadata);
        });
    }

    [Fact]
    public void Read_Part_BeginsAtTheOffset()
    {
        var path = _folder.File("a.safetensors");
        SafetensorsWriter.Write(path, [RawFile.Payload("a", TensorDType.U8, [6], [1, 2, 3, 4, 5, 6]),
            RawFile.Payload("b", TensorDType.U8, [2], [7, 8])]);
        using var file = SafetensorsFile.Open(path);
        var part = new byte[3];
        file.Read(file["a"], part, 2);
        Assert.Equal([3, 4, 5], part);
        Assert.Throws<ArgumentOutOfRangeException>(() => file.Read(file["a"], new byte[3], 4));
        Assert.Throws<ArgumentOutOfRangeException>(() => file.Read(file["a"], new byte[1], -1));
        Assert.Throws<ArgumentException>(() => file.Read(file["a"] with { Begin = 0, End = 1000 }, new byte[10]));
    }

    [Fact]
    public void Indexer_UnknownName_NamesNearOnes()
    {
        var path = _folder.File("a.safetensors");
        SafetensorsWriter.Write(path, [RawFile.Payload("unet.conv_in.weight", TensorDType.U8, [1], [1]),
            RawFile.Payload("z", TensorDType.U8, [1], [1])]);
        using var file = SafetensorsFile.Open(path);
        var fault = Assert.Throws<InvalidFileException>(() => file["model.conv_in.weight"]);
        Assert.Contains("'model.conv_in.weight'", fault.Message);
        Assert.Contains("'unet.conv_in.weight'", fault.Message);
        Assert.False(file.TryGet("none", out _));
    }

    [Fact]
    public unsafe void Lease_OutlivesTheFile_AndNeverChangesIt()
    {
        var path = _folder.File("a.safetensors");
        SafetensorsWriter.Write(path, [RawFile.Payload("a", TensorDType.U8, [4], [1, 2, 3, 4])]);
        MappedTensor lease;
        using (var file = SafetensorsFile.Open(path)) lease = file.Lease(file["a"]);
        var bytes = new Span<byte>((void*)lease.Pointer, (int)lease.ByteCount);
        Assert.Equal([1, 2, 3, 4], bytes.ToArray());
        bytes.Fill(9);
        Assert.Equal([9, 9, 9, 9], bytes.ToArray());
        lease.Dispose();
        lease.Dispose();
        using var again = SafetensorsFile.Open(path);
        Assert.Equal([1, 2, 3, 4], again.Span("a").ToArray());
    }

    [Fact]
    public void Dispose_Twice_AndThenUse_IsToldPlainly()
    {
        var path = _folder.File("a.safetensors");
        SafetensorsWriter.Write(path, [RawFile.Payload("a", TensorDType.U8, [1], [1])]);
        var file = SafetensorsFile.Open(path);
        Assert.Equal(1, file.Span("a")[0]);
        file.Dispose();
        file.Dispose();
        Assert.Throws<ObjectDisposedException>(() => file.Span("a"));
        Assert.Throws<ObjectDisposedException>(() => file.Read(file["a"], new byte[1]));
    }

    [Fact]
    public void Read_FromManyThreads_GivesTheSameBytes()
    {
        var bytes = new byte[1 << 20];
        new Random(2).NextBytes(bytes);
        var path = _folder.File("a.safetensors");
        SafetensorsWriter.Write(path, [RawFile.Payload("a", TensorDType.U8, [bytes.Length], bytes)]);
        using var file = SafetensorsFile.Open(path);
        Parallel.For(0, 64, i =>
        {
            var part = new byte[1000];
            file.Read(file["a"], part, i * 16000);
            Assert.True(part.AsSpan().SequenceEqual(bytes.AsSpan(i * 16000, 1000)));
        });
    }

    /// <summary>A file of 6 GB that takes a few pages of the disk: everything between the marks is a hole.</summary>
    [Fact]
    public void Read_BeyondFourGigabytes_FindsTheBytes()
    {
        const long size = 3L << 30;
        var header = $$$"""
            {"a":{"dtype":"U8","shape":[{{{size}}}],"data_offsets":[0,{{{size}}}]},
             "b":{"dtype":"F16","shape":[{{{size / 2}}}],"data_offsets":[{{{size}}},{{{2 * size}}}]}}
            """;
        var path = _folder.File("big.safetensors");
        var start = RawFile.Bytes(header);
        using (var stream = new FileStream(path, FileMode.Create))
        {
            stream.Write(start);
            stream.SetLength(start.Length + 2 * size);
            foreach (var end in new[] { start.Length + size, start.Length + 2 * size })
            {
                stream.Position = end - 4;
                stream.Write([1, 2, 3, (byte)(end % 251)]);
            }
        }

        using var file = SafetensorsFile.Open(path);
        foreach (var info in file.Tensors)
        {
            var last = new byte[4];
            file.Read(info, last, info.ByteCount - 4);
            Assert.Equal([1, 2, 3, (byte)((start.Length + info.End) % 251)], last);
            Assert.Equal(last, Mapped(file.Pointer(info) + (nint)info.ByteCount - 4));
        }

        Assert.Throws<NotSupportedException>(() => file.Span("a"));

        static unsafe byte[] Mapped(nint address) => new Span<byte>((void*)address, 4).ToArray();
    }
}
