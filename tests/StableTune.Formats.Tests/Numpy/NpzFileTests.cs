using System.Buffers.Binary;
using System.IO.Compression;

namespace StableTune.Formats.Tests.Numpy;

/// <summary>Archives of arrays: NumPy's own files byte by byte, packed ones, and what is refused.</summary>
public sealed class NpzFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string> Caches() =>
        new(Directory.EnumerateFiles(Fixtures.Path("data", "latents_cache"), "*.npz").Select(file => Path.GetFileName(file))
        .Order(StringComparer.Ordinal));

    [Theory]
    [MemberData(nameof(Caches))]
    public void Read_CachesOfTheReference_HoldTheExpectedArrays(string name)
    {
        using var expected = SafetensorsFile.Open(Fixtures.Path("data", "latents_cache", "expected.safetensors"));
        using var file = NpzFile.Open(Fixtures.Path("data", "latents_cache", name));
        var wanted = expected.Tensors.Where(t => t.Name.StartsWith(name + "/", StringComparison.Ordinal)).ToList();
        Assert.Equal(wanted.Count, file.Tensors.Count);
        foreach (var tensor in wanted)
        {
            var array = file.ReadArray(tensor.Name[(name.Length + 1)..]);
            Assert.Equal(tensor.DType, array.DType);
            Assert.Equal(tensor.Shape, array.Shape);
            Assert.True(expected.Span(tensor.Name).SequenceEqual(array.Bytes.Span), tensor.Name);
        }
    }

    [Theory]
    [MemberData(nameof(Caches))]
    public void Write_WhatWasRead_IsNumPysFileByteByByte(string name)
    {
        var path = Fixtures.Path("data", "latents_cache", name);
        using (var file = NpzFile.Open(path))
            NpzWriter.Write(_folder.File(name), file.Tensors.Select(t => file.ReadArray(t.Name).ToPayload()));
        Assert.Equal(File.ReadAllBytes(path), File.ReadAllBytes(_folder.File(name)));
    }

    [Fact]
    public void Read_AnyPart_OfPlainAndPackedArrays()
    {
        byte[] data = [.. Enumerable.Range(0, 200).Select(i => (byte)i)];
        foreach (var level in new[] { CompressionLevel.NoCompression, CompressionLevel.SmallestSize })
        {
            using var file = NpzFile.Open(RawNpy.Save(
                _folder, $"{level}.npz", RawNpy.Zip(
                level, ("readme.txt", [1, 2]), ("a.npy", RawNpy.Bytes("|u1", "(10, 20)", data)),
                ("f.npy", RawNpy.Bytes("|u1", "(2, 3)", [0, 3, 1, 4, 2, 5], columnwise: true)))));
            Assert.Equal(["a", "f"], file.Tensors.Select(t => t.Name));
            Assert.Empty(file.Metadata);
            Assert.Null(file.Lease(file["a"]));
            var part = new byte[30];
            file.Read(file["a"], part, 25);
            Assert.Equal(data[25..55], part);
            Assert.Equal(data, file.ReadArray("a").Bytes.ToArray());
            Assert.Equal([0, 1, 2, 3, 4, 5], file.ReadArray("f").Bytes.ToArray());
            Assert.Equal(200, file["a"].ByteCount);
            Parallel.For(0, 50, i => Assert.Equal(data, file.ReadArray("a").Bytes.ToArray()));
            Assert.Throws<ArgumentOutOfRangeException>(() => file.Read(file["a"], new byte[2], 199));
            Assert.Throws<ArgumentException>(() => file.Read(new TensorInfo("a", TensorDType.U8, [1], 0, 1), new byte[1]));
            Assert.Contains("'a'", Assert.Throws<InvalidFileException>(() => file["latents"]).Message);
            file.Dispose();
            Assert.Throws<ObjectDisposedException>(() => file.ReadArray("f"));
        }
    }

    [Fact]
    public void Write_IsReadByDotNetsOwnZipReader()
    {
        NpzWriter.Write(_folder.File("x.npz"),
            [NpyArray.Of<float>("latents", [1, 2, 3], 3).ToPayload(), NpyArray.Of<byte>("größe", [7]).ToPayload()]);
        using var zip = ZipFile.OpenRead(_folder.File("x.npz"));
        Assert.Equal(["latents.npy", "größe.npy"], zip.Entries.Select(e => e.FullName));
        using var stream = zip.Entries[0].Open();
        var bytes = new byte[140];
        stream.ReadExactly(bytes);
        Assert.Equal(3f, BitConverter.ToSingle(bytes, 136));
        using var file = NpzFile.Open(_folder.File("x.npz"));
        Assert.Equal(7, file.ReadArray("größe").As<byte>()[0]);
    }

    [Fact]
    public void Write_WhatIsWrong_IsRefusedAndNothingIsLeft()
    {
        var path = _folder.File("x.npz");
        var good = NpyArray.Of<byte>("a", [1], 1).ToPayload();
        Assert.Contains("'a'", Assert.Throws<ArgumentException>(() => NpzWriter.Write(path, [good, good])).Message);
        Assert.Throws<ArgumentException>(() => NpzWriter.Write(path, [good with { Name = "" }]));
        Assert.Throws<ArgumentException>(() => NpzWriter.Write(path, [good with { DType = TensorDType.F8E4M3 }]));
        Assert.Throws<InvalidOperationException>(() => NpzWriter.Write(path, [good, good with { Name = "b", Shape = [2] }]));
        Assert.Empty(Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public void Open_DamagedArchives_AreRefusedByName()
    {
        var npy = RawNpy.Bytes("<f4", "(2,)", new byte[8]);
        var good = RawNpy.Zip(CompressionLevel.NoCompression, ("latents.npy", npy));
        Assert.Contains("truncated", Refused(good[..^10]).Message);
        Assert.Contains("truncated", Refused(npy).Message);
        Assert.Contains("array 'latents'", Refused(RawNpy.Zip(CompressionLevel.Fastest, ("latents.npy", npy[..^1]))).Message);
        Assert.Contains("Python objects",
            Refused(RawNpy.Zip(CompressionLevel.Fastest, ("latents.npy", RawNpy.Bytes("|O", "(2,)", new byte[8])))).Message);
        Assert.Contains("does not begin", Refused(RawNpy.Zip(CompressionLevel.Fastest, ("latents.npy", [1]))).Message);
        Assert.Contains("does not begin", Refused(RawNpy.Zip(CompressionLevel.NoCompression, ("latents.npy", []))).Message);
        Assert.Contains("occurs twice",
            Refused(RawNpy.Zip(CompressionLevel.NoCompression, ("latents.npy", npy), ("latents.npy", npy))).Message);
    }

    [Fact]
    public void Open_EntryThatClaimsMoreThanItCanUnpackTo_IsRefusedBeforeMemoryIsTaken()
    {
        var zip = RawNpy.Zip(CompressionLevel.SmallestSize, ("latents.npy", RawNpy.Bytes("|u1", "(1000000000,)", new byte[1000])));
        var directory = zip.AsSpan().LastIndexOf("PK\u0001\u0002"u8);
        BinaryPrimitives.WriteUInt32LittleEndian(zip.AsSpan(directory + 24), 1_000_000_070);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Contains("cannot unpack to 1000000070", Refused(zip).Message);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1_000_000);
    }

    [Theory]
    [InlineData(CompressionLevel.NoCompression)]
    [InlineData(CompressionLevel.Optimal)]
    public void Read_ChangedData_IsNoticed(CompressionLevel level)
    {
        var random = new byte[4000];
        new Random(1).NextBytes(random);
        var zip = RawNpy.Zip(level, ("latents.npy", RawNpy.Bytes("<f4", "(1000,)", random)));
        zip[2000] ^= 1;
        using var file = NpzFile.Open(RawNpy.Save(_folder, "x.npz", zip));
        Assert.Matches("checksum|cannot be unpacked", Assert.Throws<InvalidFileException>(() => file.ReadArray("latents")).Message);
    }

    private InvalidFileException Refused(byte[] bytes) =>
        Assert.Throws<InvalidFileException>(() => NpzFile.Open(RawNpy.Save(_folder, "x.npz", bytes)).Dispose());
}
