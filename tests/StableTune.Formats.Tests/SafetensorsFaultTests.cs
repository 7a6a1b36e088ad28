using System.Text;

namespace StableTune.Formats.Tests;

/// <summary>Every rule of the format, broken: the message must name the tensor and the values, and say what to do.</summary>
public sealed class SafetensorsFaultTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string, int, string[]> BrokenHeaders() => new()
    {
        { """{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 4, ["'a'", "0..8", "truncated", "4 byte(s) are missing"] },
        { """{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 12, ["end at byte 8", "holds 12", "4 byte(s) belong to no tensor"] },
        { """{"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}""", 12, ["bytes 0..4", "before tensor 'a'", "belong to no tensor"] },
        { """{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[5,9]}}""", 9, ["bytes 4..5", "'b'"] },
        { """{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}}""", 6, ["'a' and 'b' overlap", "ends at byte 4", "begins at 2"] },
        { """{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}""", 8, ["'a' is F32 [3]", "takes 12 bytes", "0..8 hold 8"] },
        { """{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}""", 8, ["'a' ends at byte 0", "begin at 8"] },
        { """{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}""", 0, ["'a'", "overflows"] },
        { """{"a":{"dtype":"F32","shape":[9223372036854775807,9223372036854775807,0],"data_offsets":[0,0]}}""", 0, ["'a'", "overflows"] },
        { """{"a":{"dtype":"F33","shape":[2],"data_offsets":[0,8]}}""", 8, ["'a'", "unknown dtype 'F33'", "BF16"] },
        { """{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}""", 8, ["'shape' of tensor 'a'", "negative number -2"] },
        { """{"a":{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}}""", 8, ["'data_offsets' of tensor 'a'", "negative number -8"] },
        { """{"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}}""", 8, ["'shape' of tensor 'a'", "2.0"] },
        { """{"a":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,8]}}""", 8, ["99999999999999999999", "63 bits"] },
        { """{"a":{"dtype":"F32","shape":["2"],"data_offsets":[0,8]}}""", 8, ["'shape' of tensor 'a'", "a text instead of a number"] },
        { """{"a":{"dtype":"F32","shape":2,"data_offsets":[0,8]}}""", 8, ["'shape' of tensor 'a'", "a list", "a number"] },
        { """{"a":{"dtype":"F32","shape":[2],"data_offsets":[0]}}""", 8, ["'a'", "two numbers", "1"] },
        { """{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,8]}}""", 8, ["'data_offsets' of tensor 'a'", "more than 2"] },
        { """{"a":{"dtype":"F32","shape":[2]}}""", 8, ["'a'", "data_offsets"] },
        { """{"a":{"dtype":"F32","data_offsets":[0,8]}}""", 8, ["'a'", "no 'shape'"] },
        { """{"a":{"shape":[2],"data_offsets":[0,8]}}""", 8, ["'a'", "no 'dtype'"] },
        { """{"a":{"dtype":"F32","dtype":"I32","shape":[2],"data_offsets":[0,8]}}""", 8, ["'a'", "two entries 'dtype'"] },
        { """{"a":{"dtype":1,"shape":[2],"data_offsets":[0,8]}}""", 8, ["dtype of tensor 'a'", "a number"] },
        { """{"a":5}""", 0, ["tensor 'a'", "must be an object", "a number"] },
        { """{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"\u0061":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}}""", 4, ["'a' occurs twice"] },
        { """{"__metadata__":{"k":1}}""", 0, ["metadata 'k'", "must be a text", "a number"] },
        { """{"__metadata__":{"k":"1","k":"2"}}""", 0, ["metadata 'k' occurs twice"] },
        { """{"__metadata__":[]}""", 0, ["'__metadata__'", "a list"] },
        { """{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}""", 8, ["not valid JSON"] },
        { """{"a" 5}""", 8, ["not valid JSON"] },
        { """{} {}""", 0, ["not valid JSON"] },
    };

    [Theory]
    [MemberData(nameof(BrokenHeaders))]
    public void Open_BrokenHeader_NamesTensorAndValues(string header, int dataLength, string[] expected)
    {
        var fault = Assert.Throws<InvalidFileException>(() => RawFile.Open(_folder, RawFile.Bytes(header, dataLength)));
        Assert.All(expected, part => Assert.Contains(part, fault.Message));
        Assert.StartsWith(_folder.File("test.safetensors") + ": ", fault.Message);
        Assert.NotEmpty(fault.Remedy);
    }

    [Theory]
    [InlineData(0UL, "the header's length is 0")]
    [InlineData(1UL, "the header's length is 1")]
    [InlineData(100_000_001UL, "100,000,001 bytes, and at most 100,000,000")]
    [InlineData(ulong.MaxValue, "18,446,744,073,709,551,615")]
    [InlineData(1UL << 63, "9,223,372,036,854,775,808")]
    [InlineData(99_999_999UL, "99,999,999 bytes, but only 2 follow")]
    public void Open_HeaderLengthThatLies_SaysBothLengths(ulong length, string expected)
    {
        var fault = Assert.Throws<InvalidFileException>(() => RawFile.Open(_folder, RawFile.Bytes("{}"u8, [], length)));
        Assert.Contains(expected, fault.Message);
    }

    public static TheoryData<byte[], string> OtherKinds() => new()
    {
        { [], "the file is empty" },
        { "abc"u8.ToArray(), "it has 3 byte(s)" },
        { [.. "PK\u0003\u0004"u8, .. new byte[100]], "torch checkpoints" },
        { [0x80, 0x02, .. "ccollections\nOrderedDict\n"u8], "Python pickle" },
        { "<!DOCTYPE html><html><head>"u8.ToArray(), "web page" },
        { "\r\n <html>"u8.ToArray(), "web page" },
        { "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"u8.ToArray(), "git lfs pull" },
        { """{"error":"Repository not found"}"""u8.ToArray(), "JSON text" },
        { [.. "GGUF"u8, .. new byte[20]], "GGUF" },
        { [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0], "gzip" },
        { new byte[4096], "zeros" },
        { [.. Enumerable.Range(7, 100).Select(i => (byte)(i * 37))], "Name a .safetensors file" },
    };

    [Theory]
    [MemberData(nameof(OtherKinds))]
    public void Open_AnotherKindOfFile_SaysWhatItIs(byte[] bytes, string expected)
    {
        var fault = Assert.Throws<InvalidFileException>(() => RawFile.Open(_folder, bytes));
        Assert.Contains(expected, fault.Message);
    }

    [Fact]
    public void Open_HeaderThatIsNoUtf8_SaysSo()
    {
        var header = Encoding.Latin1.GetBytes("""{"é":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""");
        var fault = Assert.Throws<InvalidFileException>(() => RawFile.Open(_folder, RawFile.Bytes(header, new byte[8])));
        Assert.Matches("UTF-8|not valid JSON", fault.Message);
    }

    [Fact]
    public void Open_WithoutAFile_SaysWhatStandsThere()
    {
        Assert.Contains("does not exist", Assert.Throws<InvalidFileException>(() => SafetensorsFile.Open(_folder.File("none"))).Message);
        Assert.Contains("does not exist",
            Assert.Throws<InvalidFileException>(() => SafetensorsFile.Open(_folder.File("no", "ne"))).Message);
        Assert.Contains("is a folder", Assert.Throws<InvalidFileException>(() => SafetensorsFile.Open(_folder.Path)).Message);
    }

    [Fact]
    public void Open_FileThatIsRefused_IsClosedAgain()
    {
        var path = _folder.File("test.safetensors");
        Assert.Throws<InvalidFileException>(() => RawFile.Open(_folder, RawFile.Bytes("{{")));
        using var exclusive = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None);
    }

    [Fact]
    public void Read_FileShortenedMeanwhile_IsToldInsteadOfReadingRubbish()
    {
        var path = _folder.File("test.safetensors");
        File.WriteAllBytes(path, RawFile.Bytes("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 8));
        using var file = SafetensorsFile.Open(path);
        using (var handle = File.OpenHandle(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete))
            RandomAccess.SetLength(handle, file.DataOffset + 3);
        var fault = Assert.Throws<InvalidFileException>(() => file.Read(file["a"], new byte[8]));
        Assert.Contains("5 more byte(s)", fault.Message);
    }

    [Fact]
    public void Span_FileShortenedBeforeTheFirstUse_IsToldInsteadOfMapped()
    {
        var path = _folder.File("test.safetensors");
        File.WriteAllBytes(path, RawFile.Bytes("""{"a":{"dtype":"U8","shape":[99999],"data_offsets":[0,99999]}}""", 99999));
        using var file = SafetensorsFile.Open(path);
        using (var handle = File.OpenHandle(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete))
            RandomAccess.SetLength(handle, 100);
        var fault = Assert.Throws<InvalidFileException>(() => file.Span("a"));
        Assert.Contains("the file has 100 bytes", fault.Message);
        Assert.Throws<InvalidFileException>(() => file.Lease(file["a"]));
    }
}
