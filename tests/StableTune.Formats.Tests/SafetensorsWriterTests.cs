using System.Buffers.Binary;
using System.Text;
using System.Text.Json;

namespace StableTune.Formats.Tests;

public sealed class SafetensorsWriterTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string> FixtureFiles() =>
        [.. Directory.EnumerateFiles(Fixtures.Root, "*.safetensors", SearchOption.AllDirectories)
            .Select(p => Path.GetRelativePath(Fixtures.Root, p)).Order(StringComparer.Ordinal)];

    /// <summary>
    /// Files of the reference library, read and written again, are the same bytes. The order of metadata is the one freedom:
    /// the reference's is random, ours is sorted; then headers of equal length and equal content are asked for.
    /// </summary>
    [Theory]
    [MemberData(nameof(FixtureFiles))]
    public void Write_WhatWasRead_GivesTheReferencesBytes(string fixture)
    {
        var path = _folder.File("copy.safetensors");
        using var file = SafetensorsFile.Open(Path.Combine(Fixtures.Root, fixture));
        SafetensorsWriter.Write(path, file.Tensors.Reverse()
            .Select(info => new TensorPayload(info.Name, info.DType, info.Shape, stream => stream.Write(file.Span(info.Name)))),
            file.HasMetadata ? file.Metadata : null);

        var (expected, actual) = (File.ReadAllBytes(file.Path), File.ReadAllBytes(path));
        Assert.Equal(expected.Length, actual.Length);
        if (!file.Metadata.Keys.SequenceEqual(file.Metadata.Keys.Order(StringComparer.Ordinal)))
        {
            var offset = 8 + (int)BinaryPrimitives.ReadUInt64LittleEndian(expected);
            Assert.True(JsonElement.DeepEquals(Header(expected), Header(actual)));
            (expected, actual) = (expected[offset..], actual[offset..]);
        }

        Assert.True(expected.AsSpan().SequenceEqual(actual));

        static JsonElement Header(byte[] bytes) =>
            JsonDocument.Parse(bytes.AsMemory(8, (int)BinaryPrimitives.ReadUInt64LittleEndian(bytes))).RootElement;
    }

    [Fact]
    public void Write_EveryType_OrdersByAlignmentThenName()
    {
        var path = _folder.File("order.safetensors");
        var payloads = Enum.GetValues<TensorDType>()
            .SelectMany(type => new[] { "b", "a" }.Select(n => RawFile.Payload($"{n}.{type.Name()}", type, [], new byte[type.Size()])));
        SafetensorsWriter.Write(path, payloads);
        using var file = SafetensorsFile.Open(path);
        Assert.Equal(
            ["U64", "I64", "F64", "F32", "U32", "I32", "BF16", "F16", "U16", "I16", "F8_E4M3", "F8_E5M2", "I8", "U8", "BOOL"],
            file.Tensors.Select(t => t.DType.Name()).Distinct());
        Assert.All(file.Tensors.Chunk(2), pair => Assert.Equal(["a", "b"], pair.Select(t => t.Name[..1])));
    }

    [Fact]
    public void Write_Header_IsCompactAndPadded()
    {
        using var stream = new MemoryStream();
        var metadata = new Dictionary<string, string> { ["z"] = "tab\t \u0001 \"\\/ ü 😀", ["a"] = "" };
        SafetensorsWriter.Write(stream, [RawFile.Payload("x", TensorDType.F32, [1, 2], new byte[8])], metadata);
        var bytes = stream.ToArray();
        var length = BinaryPrimitives.ReadInt64LittleEndian(bytes);
        Assert.Equal(0, length % 8);
        Assert.Equal("""{"__metadata__":{"a":"","z":"tab\t \u0001 \"\\/ ü 😀"},"x":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}""",
            Encoding.UTF8.GetString(bytes, 8, (int)length).TrimEnd(' '));
    }

    [Fact]
    public void Write_NamesBeyondTheBasicPlane_AreOrderedByTheirBytes()
    {
        // In UTF-16 the surrogates of U+1F600 come before U+FF5E, in UTF-8 behind.
        var path = _folder.File("names.safetensors");
        SafetensorsWriter.Write(path, [RawFile.Payload("😀", TensorDType.U8, [], [1]), RawFile.Payload("～", TensorDType.U8, [], [2])]);
        using var file = SafetensorsFile.Open(path);
        Assert.Equal(["～", "😀"], file.Tensors.Select(t => t.Name));
    }

    [Theory]
    [InlineData(3)]
    [InlineData(5)]
    public void Write_TensorOfAnotherSize_ThrowsAndKeepsTheOldFile(int bytes)
    {
        var path = _folder.File("a.safetensors");
        File.WriteAllText(path, "old");
        var fault = Assert.Throws<InvalidOperationException>(() =>
            SafetensorsWriter.Write(path, [RawFile.Payload("a", TensorDType.U8, [4], new byte[bytes])]));
        Assert.Contains("'a'", fault.Message);
        Assert.Equal("old", File.ReadAllText(path));
        Assert.Single(Directory.GetFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void Write_ImpossibleNamesAndShapes_AreRefused()
    {
        static void Write(params TensorPayload[] tensors) => SafetensorsWriter.Write(Stream.Null, tensors);
        var a = RawFile.Payload("a", TensorDType.U8, [1], [1]);
        Assert.Contains("'a'", Assert.Throws<ArgumentException>(() => Write(a, a)).Message);
        Assert.Contains("'a'", Assert.Throws<ArgumentException>(() => Write(a, a with { DType = TensorDType.I8 })).Message);
        Assert.Contains("reserved", Assert.Throws<ArgumentException>(() => Write(a with { Name = "__metadata__" })).Message);
        Assert.Contains("[-1]", Assert.Throws<ArgumentException>(() => Write(a with { Shape = [-1] })).Message);
    }

    [Fact]
    public void Write_OverAFileThatIsOpenAndMapped_LeavesTheReaderItsBytes()
    {
        var path = _folder.File("a.safetensors");
        SafetensorsWriter.Write(path, [RawFile.Payload("a", TensorDType.U8, [2], [1, 2])]);
        if (OperatingSystem.IsWindows()) return;            // there the reader must be disposed first, as its page says
        using var file = SafetensorsFile.Open(path);
        var before = file.Span("a");
        SafetensorsWriter.Write(path, [RawFile.Payload("a", TensorDType.U8, [2], [3, 4])]);
        Assert.Equal([1, 2], before.ToArray());
        using var now = SafetensorsFile.Open(path);
        Assert.Equal([3, 4], now.Span("a").ToArray());
    }
}
