using System.Text;

namespace StableTune.Formats.Tests;

/// <summary>Thousands of damaged files: each is either refused with the one exception, or every tensor can be read in bounds.</summary>
public sealed class SafetensorsFuzzTests : IDisposable
{
    private const string Header = """
        {"__metadata__":{"format":"pt","k":"v"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"b":{"dtype":"F16","shape":[4],"data_offsets":[24,32]},"c":{"dtype":"U8","shape":[0],"data_offsets":[32,32]},"d":{"dtype":"BOOL","shape":[],"data_offsets":[32,33]}}
        """;

    private static readonly string[] Pieces =
    [
        "-1", "0", "1e9", "9223372036854775807", "18446744073709551616", "[]", "{}", "\"", "null", "\\u0000", "\\ud800", ",", ":", "[[[[",
            "}}", "\"a\":", "F64", "BF16",
        "\"shape\":[", "data_offsets", "__metadata__", "4611686018427387904,4", "33", "32", "24",
    ];

    private readonly TemporaryFolder _folder = new();
    private int _refused, _accepted;

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Open_DamagedFiles_AreRefusedOrReadInBounds(int seed)
    {
        var random = new Random(seed);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 2000; i++) TryOpen(Damage(random));
        Assert.InRange(_refused, 1000, 2000);
        Assert.InRange(_accepted, 1, 1000);             // some damage hits a name or a blank only
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 2000 * 100_000L);
    }

    [Fact]
    public void Open_DeepNestingAndLongLists_AreRefused()
    {
        TryOpen(RawFile.Bytes("{\"a\":" + new string('[', 1_000_000)));
        TryOpen(RawFile.Bytes("{\"a\":" + string.Concat(Enumerable.Repeat("{\"a\":", 100_000))));
        TryOpen(RawFile.Bytes("{\"a\":{\"dtype\":\"U8\",\"shape\":[" + string.Join(',', Enumerable.Repeat("1", 500_000))
            + "],\"data_offsets\":[0,1]}}", 1));
        Assert.Equal(3, _refused);
    }

    private void TryOpen(byte[] bytes)
    {
        try
        {
            RawFile.Open(_folder, bytes, file =>
            {
                foreach (var tensor in file.Tensors)
                {
                    Assert.InRange(tensor.End, tensor.Begin, file.DataLength);
                    var read = new byte[tensor.ByteCount];
                    file.Read(tensor, read);
                    Assert.Equal(read, file.Span(tensor.Name).ToArray());
                }
            });
            _accepted++;
        }
        catch (InvalidFileException)
        {
            _refused++;
        }
    }

    private static byte[] Damage(Random random)
    {
        var header = new StringBuilder(Header.TrimEnd());
        var claimed = (ulong?)null;
        var data = 33;
        for (var n = random.Next(1, 4); n > 0; n--)
        {
            var at = random.Next(header.Length);
            switch (random.Next(8))
            {
                case 0: header[at] = (char)random.Next(1, 128); break;
                case 1: header.Remove(at, Math.Min(random.Next(1, 12), header.Length - at)); break;
                case 2: header.Insert(at, Pieces[random.Next(Pieces.Length)]); break;
                case 3: ReplaceNumber(header, at, random); break;
                case 4: header.Append(' ', random.Next(20)); break;
                case 5: data = Math.Max(0, data + random.Next(-8, 8)); break;
                case 6: claimed = random.Next(4) == 0 ? (ulong)random.NextInt64(long.MinValue, long.MaxValue) : (ulong)Math.Max(
                    0, header.Length + random.Next(-5, 40)); break;
                default: header.Length = Math.Max(1, at); break;
            }
        }

        var bytes = RawFile.Bytes(Encoding.UTF8.GetBytes(header.ToString()), new byte[data], claimed);
        if (random.Next(5) == 0) bytes = bytes[..random.Next(bytes.Length)];
        return bytes;
    }

    private static void ReplaceNumber(StringBuilder header, int from, Random random)
    {
        var at = from;
        while (at < header.Length && !char.IsAsciiDigit(header[at])) at++;
        if (at == header.Length) return;
        var length = 1;
        while (at + length < header.Length && char.IsAsciiDigit(header[at + length])) length++;
        header.Remove(at, length).Insert(at, Pieces[random.Next(5)]);
    }
}
