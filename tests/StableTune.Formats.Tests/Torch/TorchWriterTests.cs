using System.IO.Compression;
using System.Text;

namespace StableTune.Formats.Tests.Torch;

/// <summary>What is written is what torch would write, and is read back byte for byte.</summary>
public sealed class TorchWriterTests : IDisposable
{
    private static readonly TensorDType[] Types = Enum.GetValues<TensorDType>();

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(TorchLayout.Dictionary)]
    [InlineData(TorchLayout.OrderedDictionary)]
    [InlineData(TorchLayout.Checkpoint)]
    public void Write_EveryTypeAndShape_IsReadBack(TorchLayout layout)
    {
        long[][] shapes = [[], [1], [7], [3, 5], [2, 1, 3], [0], [4, 0, 2], [1, 1, 1, 1, 300]];
        var random = new Random(1);
        var tensors = Types.SelectMany(type => shapes.Select(shape => Payload($"{type}.{string.Join('x', shape)}", type, shape, random)))
            .ToList();
        var path = _folder.File("new", "folder", "model.ckpt");
        TorchWriter.Write(path, tensors, layout);

        using var file = TorchFile.Open(path);
        Assert.Equal(tensors.Select(t => t.Name), file.Tensors.Select(t => t.Name));
        Assert.All(tensors, tensor =>
        {
            var info = file[tensor.Name];
            Assert.Equal((tensor.DType, string.Join(',', tensor.Shape)), (info.DType, string.Join(',', info.Shape)));
            Assert.Equal(Bytes(tensor), file.Bytes(info));
            using var lease = file.Lease(info)!;
            Assert.Equal(0, lease.Pointer % 64);
        });
        Assert.Equal(layout == TorchLayout.OrderedDictionary, file.StateDictionary!.IsOrdered);
        Assert.Equal(layout == TorchLayout.Checkpoint, !ReferenceEquals(file.Root, file.StateDictionary));
    }

    [Fact]
    public void Write_Checkpoint_KeepsEpochStepAndOtherEntries()
    {
        var path = _folder.File("model.ckpt");
        TorchWriter.Write(path, [Payload("w", TensorDType.F16, [2, 2], new Random(2))], TorchLayout.Checkpoint,
            [new("epoch", 3), new("global_step", 470000), new("note", "größer ☃ 🐸"), new("rate", 1e-4), new("done", true),
                new("nothing", PickleNone.Value)]);
        using var file = TorchFile.Open(path);
        Assert.Equal((3L, 470000L), (file.Epoch, file.GlobalStep));
        Assert.Equal(["epoch", "global_step", "note", "rate", "done"], file.Metadata.Keys);
        Assert.Equal("größer ☃ 🐸", file.Metadata["note"]);
        Assert.Equal(("0.0001", "True"), (file.Metadata["rate"], file.Metadata["done"]));
        Assert.IsType<PickleNone>(file.Root.Get("nothing"));
    }

    [Fact]
    public void Write_NestedValues_AreReadBack()
    {
        var path = _folder.File("embedding.pt");
        var tensor = PickleTensor.From(Payload("x", TensorDType.F32, [2, 48], new Random(3)));
        long[] numbers = [0, 255, 256, 65535, 65536, -1, int.MaxValue, int.MinValue, long.MaxValue, long.MinValue];
        var integers = new PickleSequence(PickleSequenceKind.List, numbers.Select(n => (PickleValue)n));
        var shared = new PickleSequence(
            PickleSequenceKind.Tuple, [1, 2.5, double.NaN, PickleNone.Value, new PickleSequence(PickleSequenceKind.Tuple, [])]);
        TorchWriter.Write(path, new PickleDictionary([
            new("string_to_token", new PickleDictionary([new("*", 265)])),
            new("string_to_param", new PickleDictionary([new("*", tensor)], ordered: true)),
            new("integers", integers), new("a", shared), new("b", shared), new("again", tensor),
                new("empty", new PickleSequence(PickleSequenceKind.List, [])),
        ]));

        using var file = TorchFile.Open(path);
        Assert.Equal("265", file.Root.Get("string_to_token").Get("*").ToString());
        Assert.Equal(Bytes(tensor.ByteCount, new Random(3)), file.BytesOf(file.Root.Get("string_to_param").Get("*")));
        Assert.Same(file.Root.Get("again"), file.Root.Get("string_to_param").Get("*"));
        Assert.Same(file.Root.Get("a"), file.Root.Get("b"));
        Assert.Equal(numbers.Select(n => $"{n}"), ((PickleSequence)file.Root.Get("integers")).Select(n => n.ToString()));
        var tuple = Assert.IsType<PickleSequence>(file.Root.Get("a"));
        Assert.Equal(PickleSequenceKind.Tuple, tuple.Kind);
        Assert.Equal(["1", "2.5", "NaN", "None", "tuple of 0"], tuple.Select(v => v.ToString()));
        Assert.Empty((PickleSequence)file.Root.Get("empty"));
    }

    [Fact]
    public void Write_TheArchive_IsOneThatOthersRead()
    {
        var path = _folder.File("model.bin");
        TorchWriter.Write(path, [new TensorPayload("digits", TensorDType.U8, [9], stream => stream.Write("123456789"u8)),
            Payload("empty", TensorDType.F32, [0], new Random(4))], TorchLayout.OrderedDictionary);
        using var zip = ZipFile.OpenRead(path);
        Assert.Equal(["archive/data.pkl", "archive/byteorder", "archive/data/0", "archive/data/1", "archive/version"],
            zip.Entries.Select(e => e.FullName));
        Assert.Equal((0xCBF43926u, 9L, 9L),
            (zip.GetEntry("archive/data/0")!.Crc32, zip.GetEntry("archive/data/0")!.Length,
            zip.GetEntry("archive/data/0")!.CompressedLength));
        Assert.Equal(("3\n", "little"), (Text(zip, "archive/version"), Text(zip, "archive/byteorder")));
        Assert.Equal((byte)0x80, File.ReadAllBytes(path)[64]);              // the pickle, at a multiple of 64, protocol 2
        var pickle = Encoding.Latin1.GetString(File.ReadAllBytes(path)[64..]);
        Assert.StartsWith("\u0080\u0002ccollections\nOrderedDict\n", pickle, StringComparison.Ordinal);
        Assert.Contains("ctorch._utils\n_rebuild_tensor_v2\n", pickle, StringComparison.Ordinal);
    }

    [Fact]
    public void Write_SameContent_GivesTheSameFile()
    {
        TorchWriter.Write(_folder.File("a.ckpt"), [Payload("w", TensorDType.BF16, [3, 3], new Random(5))], TorchLayout.Checkpoint);
        TorchWriter.Write(_folder.File("b.ckpt"), [Payload("w", TensorDType.BF16, [3, 3], new Random(5))], TorchLayout.Checkpoint);
        Assert.Equal(File.ReadAllBytes(_folder.File("a.ckpt")), File.ReadAllBytes(_folder.File("b.ckpt")));
    }

    [Fact]
    public void Write_MoreThan65535Entries_NeedsTheLargeDirectory()
    {
        var path = _folder.File("many.pt");
        TorchWriter.Write(path, Enumerable.Range(0, 70_000)
            .Select(i => new TensorPayload($"t{i}", TensorDType.I32, [], stream => stream.Write(BitConverter.GetBytes(i)))));
        using var file = TorchFile.Open(path);
        Assert.Equal(70_000, file.Tensors.Count);
        Assert.Equal(69_999, BitConverter.ToInt32(file.Bytes("t69999")));
        using var zip = ZipFile.OpenRead(path);
        Assert.Equal(70_003, zip.Entries.Count);
    }

    [Fact]
    public void Write_MoreThan4Gigabytes_NeedsLargeSizesAndOffsets()
    {
        if (!Exhaustive.IsOn) return;      // takes 9 GB of disk, and a minute
        const long Count = (1L << 32) + 5;
        var path = _folder.File("large.pt");
        var block = new byte[1 << 20];
        new Random(7).NextBytes(block);
        var large = new TensorPayload("large", TensorDType.U8, [Count], stream =>
        {
            for (var at = 0L; at < Count; at += block.Length) stream.Write(block, 0, (int)Math.Min(block.Length, Count - at));
        });
        TorchWriter.Write(path, [large, Payload("behind", TensorDType.F32, [3], new Random(8)), large with { Name = "again" },
            Payload("last", TensorDType.F32, [3], new Random(9))]);

        using var file = TorchFile.Open(path);
        Assert.Equal([Count, 12, Count, 12], file.Tensors.Select(t => t.ByteCount));
        Assert.Equal(Bytes(12, new Random(8)), file.Bytes("behind"));
        Assert.Equal(Bytes(12, new Random(9)), file.Bytes("last"));
        var tail = new byte[5];
        file.Read(file["again"], tail, Count - 5);
        Assert.Equal(block[..5], tail);
        using var zip = ZipFile.OpenRead(path);
        Assert.Equal((Count, Count), (zip.GetEntry("archive/data/2")!.Length, zip.GetEntry("archive/data/2")!.CompressedLength));
        Assert.Equal(zip.GetEntry("archive/data/0")!.Crc32, zip.GetEntry("archive/data/2")!.Crc32);
        Assert.Equal("3\n", Text(zip, "archive/version"));
    }

    [Fact]
    public void Write_WhatCannotBeWritten_IsRefusedAndLeavesNoFile()
    {
        var path = _folder.File("model.pt");
        var payload = Payload("w", TensorDType.U8, [4], new Random(6));
        Assert.Contains("'w'", Assert.Throws<ArgumentException>(() => TorchWriter.Write(path, [payload, payload])).Message);
        Assert.Contains("'epoch'", Assert.Throws<ArgumentException>(() =>
            TorchWriter.Write(path, [payload], TorchLayout.Checkpoint, [new("epoch", 1), new("epoch", 2)])).Message);
        Assert.Contains("impossible shape [-1]",
            Assert.Throws<ArgumentException>(() => TorchWriter.Write(path, [payload with { Shape = [-1] }])).Message);
        Assert.Contains("of type set", Assert.Throws<ArgumentException>(() =>
            TorchWriter.Write(path, new PickleSequence(PickleSequenceKind.Set, []))).Message);
        Assert.Contains("surrogate", Assert.Throws<ArgumentException>(() => TorchWriter.Write(path, "\ud800")).Message);
        Assert.Contains("wrote 4 bytes, but its type and shape take 5",
            Assert.Throws<InvalidOperationException>(() => TorchWriter.Write(path, [payload with { Shape = [5] }])).Message);
        Assert.Contains("more than the 3 bytes",
            Assert.Throws<InvalidOperationException>(() => TorchWriter.Write(path, [payload with { Shape = [3] }])).Message);
        PickleValue deep = 1;
        for (var i = 0; i < 1001; i++) deep = new PickleSequence(PickleSequenceKind.List, [deep]);
        Assert.Contains("nested more than 1000", Assert.Throws<ArgumentException>(() => TorchWriter.Write(path, deep)).Message);
        using (var file = TorchFile.Open(TorchFixtures.Zip))
            Assert.Contains("lies in a file", Assert.Throws<ArgumentException>(() => TorchWriter.Write(path, file.Root)).Message);
        Assert.Empty(Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public void Write_FromAnOpenFile_CopiesEveryTensor()
    {
        using var source = TorchFile.Open(TorchFixtures.Legacy);
        var path = _folder.File("copy.ckpt");
        TorchWriter.Write(path, source.Tensors.Select(t => source.ToPayload((PickleTensor)source.StateDictionary!.Get(t.Name), t.Name)),
            TorchLayout.Checkpoint);
        using var copy = TorchFile.Open(path);
        Assert.Equal(TorchFixtures.Digest(source), TorchFixtures.Digest(copy));
    }

    private static string Text(ZipArchive zip, string name)
    {
        using var reader = new StreamReader(zip.GetEntry(name)!.Open());
        return reader.ReadToEnd();
    }

    private static TensorPayload Payload(string name, TensorDType type, long[] shape, Random random)
    {
        var bytes = Bytes(shape.Aggregate((long)type.Size(), (a, b) => a * b), random);
        return new TensorPayload(name, type, shape, stream => stream.Write(bytes));
    }

    private static byte[] Bytes(long count, Random random)
    {
        var bytes = new byte[count];
        random.NextBytes(bytes);
        return bytes;
    }

    private static byte[] Bytes(TensorPayload payload)
    {
        using var stream = new MemoryStream();
        payload.Write(stream);
        return stream.ToArray();
    }
}
