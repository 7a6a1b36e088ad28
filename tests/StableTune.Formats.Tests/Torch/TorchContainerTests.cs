using System.Text;

namespace StableTune.Formats.Tests.Torch;

/// <summary>The containers around the pickle: both forms, whole, truncated at every place, and wrong in every way.</summary>
public sealed class TorchContainerTests : IDisposable
{
    private static readonly byte[] Floats = [.. Enumerable.Range(0, 6).SelectMany(i => BitConverter.GetBytes((float)i))];

    private static readonly string Two = RawTorch.Dictionary(
        ("a", RawTorch.Tensor("0", "FloatStorage", 6, 0, [2, 3], [3, 1])), ("b", RawTorch.Tensor("1", "ByteStorage", 3, 0, [3], [1])));

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static byte[] Zip => RawTorch.Zip(Two, ("0", Floats), ("1", [7, 8, 9]));

    private static byte[] Legacy => RawTorch.Legacy(Two, ["1", "0"], (3, [7, 8, 9]), (6, Floats));

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Open_Handmade_IsRead(bool legacy) => RawTorch.Open(_folder, legacy ? Legacy : Zip, file =>
    {
        Assert.Equal(["a: F32 [2, 3]", "b: U8 [3]"], file.Tensors.Select(t => $"{t.Name}: {t}"));
        Assert.Equal(Floats, file.Bytes("a"));
        Assert.Equal([7, 8, 9], file.Bytes("b"));
    });

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Open_TruncatedAtEveryByte_IsRefused(bool legacy)
    {
        var bytes = legacy ? Legacy : Zip;
        for (var length = 0; length < bytes.Length; length++) RawTorch.Refusal(_folder, bytes[..length]);
    }

    [Fact]
    public void Open_RealFilesTruncated_AreRefused()
    {
        foreach (var path in new[] { TorchFixtures.Zip, TorchFixtures.Legacy })
        {
            var bytes = File.ReadAllBytes(path);
            for (var part = 1; part < 40; part++) RawTorch.Refusal(_folder, bytes[..(int)((long)bytes.Length * part / 40)]);
            Assert.Contains("truncated", RawTorch.Refusal(_folder, bytes[..^1]));
        }
    }

    [Fact]
    public void Open_Views_AreFoundInTheirStorage()
    {
        var view = "(" + RawTorch.Text("v") + RawTorch.Integer(2) + RawTorch.Integer(3) + "t";
        var pickle = RawTorch.Dictionary(
            ("a", RawTorch.Tensor("0", "FloatStorage", 6, 0, [6], [1], "N")),
            ("b", RawTorch.Tensor("0", "FloatStorage", 6, 1, [2], [1], view)));
        RawTorch.Open(_folder, RawTorch.Legacy(pickle, ["0"], (6, Floats)), file =>
        {
            Assert.Equal(Floats, file.Bytes("a"));
            Assert.Equal(Floats[12..20], file.Bytes("b"));
        });
        var outside = "(" + RawTorch.Text("v") + RawTorch.Integer(4) + RawTorch.Integer(3) + "t";
        Assert.Contains("reaches from element 4 over 3, but the storage has 6", RawTorch.Refusal(_folder,
            RawTorch.Legacy(RawTorch.Dictionary(("b", RawTorch.Tensor("0", "FloatStorage", 6, 0, [1], [1], outside))), ["0"],
                (6, Floats))));
        Assert.Contains("does not fit into storage '0' of 12 bytes", RawTorch.Refusal(_folder,
            RawTorch.Legacy(RawTorch.Dictionary(("b", RawTorch.Tensor("0", "FloatStorage", 6, 1, [3], [1], view))), ["0"], (6, Floats))));
    }

    public static TheoryData<string, string> BrokenLegacy() => new()
    {
        { "\u0080\u0002K\u0001.", "its first value is 1 instead of torch's magic number" },
        { "\u0080\u0002}.", "its first value is dict of 0" },
        { RawTorch.LegacyStart[..^6] + "\u0080\u0002M\u00ea\u0003.", "protocol version 1002, and 1001 is known" },
        { RawTorch.LegacyStart + "N.", "None instead of the facts of a system" },
        { RawTorch.LegacyStart + RawTorch.LittleEndian.Replace('\u0088', '\u0089'), "most significant byte first" },
        { RawTorch.LegacyStart + RawTorch.LittleEndian + "}.", "truncated" },
        { RawTorch.LegacyStart + RawTorch.LittleEndian + "}." + "N.", "None instead of the list of storages" },
        { RawTorch.LegacyStart + RawTorch.LittleEndian + "}." + "](" + RawTorch.Text("0") + "e.",
            "storage '0' is listed twice, or no tensor lies in it" },
        { RawTorch.LegacyStart + RawTorch.LittleEndian + Two + "](" + RawTorch.Text("1") + "e." + RawTorch.Number8(3) + "abc",
            "storage '0' is not in the list" },
        { RawTorch.LegacyStart + RawTorch.LittleEndian + Two + "](" + RawTorch.Text("1") + RawTorch.Text("1") + "e." + RawTorch.Number8(3)
            + "abc", "storage '1' is listed twice" },
        { RawTorch.LegacyStart + RawTorch.LittleEndian + Two + "](" + RawTorch.Text("1") + RawTorch.Text("0") + "e." + RawTorch.Number8(4)
            + "abcd", "'1' should have 3 elements, but 4 are announced" },
        { RawTorch.LegacyStart + RawTorch.LittleEndian + Two + "](" + RawTorch.Text("1") + RawTorch.Text("0") + "e." + RawTorch.Number8(3)
            + "abc" + RawTorch.Number8(6) + "12345678901234567890123", "the file is truncated: storage '0'" },
    };

    [Theory]
    [MemberData(nameof(BrokenLegacy))]
    public void Open_LegacyFormThatBreaksARule_SaysWhich(string pickles, string expected) =>
        Assert.Contains(expected, RawTorch.Refusal(
            _folder, RawTorch.LegacyOf(pickles.StartsWith('\u0080') ? pickles : "\u0080\u0002" + pickles)));

    [Fact]
    public void Open_StorageDescribedInTwoWays_IsRefused()
    {
        var pickle = RawTorch.Dictionary(
            ("a", RawTorch.Tensor("0", "FloatStorage", 6, 0, [6], [1])), ("b", RawTorch.Tensor("0", "ByteStorage", 6, 0, [6], [1])));
        Assert.Contains("described in two ways", RawTorch.Refusal(_folder, RawTorch.Legacy(pickle, ["0"], (6, Floats))));
    }

    public static TheoryData<string, string> OtherArchives() => new()
    {
        { "a.txt", "no folder with data.pkl, but 'a.txt'" },
        { "data.pkl", "no folder with data.pkl" },
        { "a/b/data.pkl", "no folder with data.pkl" },
        { "x.npy", ".npz" },
        { "x/data.pkl x/constants.pkl", "TorchScript" },
        { "x/data.pkl x/code/__torch__.py", "TorchScript" },
        { "x/data.pkl x/byteorder", "byte order 'N.'" },
        { "x/data.pkl x/version", "version 'N.'" },
        { "x/data.pkl x/data.pkl", "'x/data.pkl' occurs twice" },
    };

    [Theory]
    [MemberData(nameof(OtherArchives))]
    public void Open_OtherZipArchives_SayWhatTheyAre(string names, string expected) =>
        Assert.Contains(expected, RawTorch.Refusal(
            _folder, RawTorch.ZipOf([.. names.Split(' ').Select(name => (name, "N."u8.ToArray()))])));

    [Fact]
    public void Open_BigEndian_IsRefused() => Assert.Contains("byte order 'big'", RawTorch.Refusal(_folder,
        RawTorch.ZipOf(("x/data.pkl", "N."u8.ToArray()), ("x/byteorder", "big"u8.ToArray()))));

    [Fact]
    public void Open_EmptyArchive_IsRefused() => Assert.Contains("but nothing", RawTorch.Refusal(_folder, RawTorch.ZipOf()));

    [Fact]
    public void Open_MissingStorage_IsRefused() =>
        Assert.Contains("storage '1' of 3 bytes is missing", RawTorch.Refusal(_folder, RawTorch.Zip(Two, ("0", Floats))));

    /// <summary>Sets bytes at a place behind a signature: 1 = local header, 2 = directory, 3 = end. -1 = the last.</summary>
    [Theory]
    [InlineData("PK\u0001\u0002", 10, 8, "compressed (method 8)")]
    [InlineData("PK\u0001\u0002", 8, 1, "encrypted")]
    [InlineData("PK\u0001\u0002", 20, 77, "has the impossible sizes")]
    [InlineData("PK\u0001\u0002", 42, 5, "has no header at byte 5")]
    [InlineData("PK\u0001\u0002", 45, 200, "but the file has")]
    [InlineData("PK\u0001\u0002", 28, 255, "its directory ends within entry 0")]
    [InlineData("PK\u0001\u0002", 0, 0, "its directory is damaged behind entry 0")]
    [InlineData("PK\u0003\u0004", 27, 255, "reaches beyond the file's")]
    [InlineData("PK\u0005\u0006", 4, 1, "several parts of an archive")]
    [InlineData("PK\u0005\u0006", 10, 9, "has 4 entries, but 9 are announced")]
    [InlineData("PK\u0005\u0006", 15, 200, "should lie at")]
    [InlineData("PK\u0005\u0006", 19, 200, "should lie at")]
    [InlineData("PK\u0005\u0006", 20, 3, "truncated: the directory at its end is missing")]
    public void Open_ZipArchiveThatLies_SaysWhere(string signature, int offset, byte value, string expected)
    {
        var bytes = Zip;
        var at = bytes.AsSpan().IndexOf(Encoding.Latin1.GetBytes(signature));
        bytes[at + offset] = value;
        Assert.Contains(expected, RawTorch.Refusal(_folder, bytes));
    }

    [Theory]
    [InlineData(0, "end at 0 is damaged")]
    [InlineData(-1, "should lie at -1")]
    [InlineData(long.MaxValue, "should lie at 9223372036854775807")]
    public void Open_LargeDirectoryThatLies_IsRefused(long position, string expected)
    {
        var bytes = Zip;
        var locator = RawTorch.Latin1("PK\u0006\u0007" + RawTorch.Number4(0) + RawTorch.Number8(position) + RawTorch.Number4(1));
        Assert.Contains(expected, RawTorch.Refusal(_folder, [.. bytes[..^22], .. locator, .. bytes[^22..]]));
    }

    [Fact]
    public void Open_TarForm_IsRefusedByName()
    {
        var tar = new byte[1024];
        "ustar"u8.CopyTo(tar.AsSpan(257));
        Assert.Contains("tar archive; torch wrote such files before release 0.2", RawTorch.Refusal(_folder, tar));
    }

    [Fact]
    public void Open_OtherKinds_SayWhatTheyAre()
    {
        Assert.Contains("PNG image", RawTorch.Refusal(_folder, [0x89, .. "PNG and so on"u8]));
        Assert.Contains("neither a zip archive nor a pickle", RawTorch.Refusal(_folder, [1, .. "what is this"u8]));
        Assert.Contains("it is a text file", RawTorch.Refusal(_folder, "what is this"u8.ToArray()));
        Assert.Contains("is empty", RawTorch.Refusal(_folder, []));
        Assert.Contains("does not exist", Assert.Throws<InvalidFileException>(() => TorchFile.Open(_folder.File("none.ckpt"))).Message);
        Assert.Contains("is a folder", Assert.Throws<InvalidFileException>(() => TorchFile.Open(_folder.Path)).Message);
        Assert.Contains("'os.system'", Assert.Throws<InvalidFileException>(() =>
            OpenAny(RawTorch.Latin1("\u0080\u0002cos\nsystem\n."))).Message);
    }

    [Fact]
    public void Open_FileThatIsRefused_IsClosedAgain()
    {
        RawTorch.Refusal(_folder, Zip[..^5]);
        using var exclusive = new FileStream(_folder.File("test.ckpt"), FileMode.Open, FileAccess.ReadWrite, FileShare.None);
    }

    [Fact]
    public void Read_FileShortenedMeanwhile_IsToldInsteadOfReadingRubbish()
    {
        var path = _folder.File("test.ckpt");
        File.WriteAllBytes(path, Legacy);
        using var file = TorchFile.Open(path);
        using (var handle = File.OpenHandle(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete))
            RandomAccess.SetLength(handle, Legacy.Length - 5);
        Assert.Contains("5 more byte(s)", Assert.Throws<InvalidFileException>(() => file.Bytes("a")).Message);
        Assert.Throws<InvalidFileException>(() => file.Lease(file["a"]));
    }

    private void OpenAny(byte[] bytes)
    {
        File.WriteAllBytes(_folder.File("any"), bytes);
        TensorFile.Open(_folder.File("any")).Dispose();
    }
}
