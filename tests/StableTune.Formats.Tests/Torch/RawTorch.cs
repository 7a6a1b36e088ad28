using System.Text;

namespace StableTune.Formats.Tests.Torch;

/// <summary>Builds torch files by hand, right and wrong ones. Pickles are written as Latin-1 texts, one character a byte.</summary>
internal static class RawTorch
{
    private const string Magic = "\u0080\u0002\u008a\u000a\u006c\u00fc\u009c\u0046\u00f9\u0020\u006a\u00a8\u0050\u0019.";
    private const string Protocol = "\u0080\u0002M\u00e9\u0003.";

    public static string LittleEndian => "\u0080\u0002}(" + Text("little_endian") + "\u0088u.";

    public static byte[] Latin1(string text) => Encoding.Latin1.GetBytes(text);

    public static string Text(string text) => "X" + Number4(text.Length) + text;

    public static string Number4(long number) => string.Create(4, number, static (span, n) =>
    {
        for (var i = 0; i < 4; i++) span[i] = (char)((n >> (8 * i)) & 255);
    });

    public static string Number8(long number) => Number4(number & uint.MaxValue) + Number4(number >> 32);

    /// <summary>Any integer, as LONG1 of eight bytes.</summary>
    public static string Integer(long number) => "\u008a\u0008" + Number8(number);

    public static string Tuple(params long[] numbers) => "(" + string.Concat(numbers.Select(Integer)) + "t";

    /// <summary>A tensor over the storage of this key.</summary>
    public static string Tensor(string key, string type, long count, long offset, long[] shape, long[] strides, string? view = null,
        string module = "torch") =>
        "ctorch._utils\n_rebuild_tensor_v2\n((" + Text("storage") + $"c{module}\n{type}\n" + Text(key) + Text("cpu") + Integer(count)
            + view + "tQ" +
        Integer(offset) + Tuple(shape) + Tuple(strides) + "\u0089ccollections\nOrderedDict\n)RtR";

    /// <summary>A pickle of one dictionary.</summary>
    public static string Dictionary(params (string Name, string Value)[] entries) =>
        "\u0080\u0002}(" + string.Concat(entries.Select(e => Text(e.Name) + e.Value)) + "u.";

    /// <summary>The zip form.</summary>
    public static byte[] Zip(string pickle, params (string Key, byte[] Bytes)[] storages) =>
        ZipOf([("x/data.pkl", Latin1(pickle)), .. storages.Select(s => ($"x/data/{s.Key}", s.Bytes)), ("x/version", "3\n"u8.ToArray())]);

    /// <summary>A zip archive of stored entries.</summary>
    public static byte[] ZipOf(params (string Name, byte[] Bytes)[] entries)
    {
        using var stream = new MemoryStream();
        var directory = new MemoryStream();
        foreach (var (name, bytes) in entries)
        {
            var offset = (int)stream.Position;
            var nameBytes = Encoding.UTF8.GetBytes(name);
            stream.Write(Fields(0x04034B50, [20, 0, 0, 0, 0], 0, bytes.Length, bytes.Length, [nameBytes.Length, 0]));
            stream.Write(nameBytes);
            stream.Write(bytes);
            directory.Write(Fields(0x02014B50, [20, 20, 0, 0, 0, 0], 0, bytes.Length, bytes.Length,
                [nameBytes.Length, 0, 0, 0, 0, 0, 0, offset & 0xFFFF, offset >> 16]));
            directory.Write(nameBytes);
        }

        var start = (int)stream.Position;
        directory.WriteTo(stream);
        stream.Write(Fields(0x06054B50, [0, 0, entries.Length, entries.Length], (int)directory.Length, start, null, [0]));
        return stream.ToArray();
    }

    /// <summary>The older form.</summary>
    public static byte[] Legacy(string pickle, string[] keys, params (long Count, byte[] Bytes)[] storages) =>
        LegacyOf(Magic + Protocol + LittleEndian + pickle + "\u0080\u0002](" + string.Concat(keys.Select(Text)) + "e.", storages);

    public static byte[] LegacyOf(string pickles, params (long Count, byte[] Bytes)[] storages)
    {
        using var stream = new MemoryStream();
        stream.Write(Latin1(pickles));
        foreach (var (count, bytes) in storages)
        {
            stream.Write(Latin1(Number8(count)));
            stream.Write(bytes);
        }

        return stream.ToArray();
    }

    public static string LegacyStart => Magic + Protocol;

    /// <summary>Opens the bytes as a file and closes it again.</summary>
    public static void Open(TemporaryFolder folder, byte[] bytes, Action<TorchFile>? look = null)
    {
        var path = folder.File("test.ckpt");
        File.WriteAllBytes(path, bytes);
        using var file = TorchFile.Open(path);
        look?.Invoke(file);
    }

    /// <summary>The message with which the file is refused; it begins with the path and has a remedy.</summary>
    public static string Refusal(TemporaryFolder folder, byte[] bytes)
    {
        var fault = Assert.Throws<InvalidFileException>(() => Open(folder, bytes));
        Assert.StartsWith(folder.File("test.ckpt") + ": ", fault.Message, StringComparison.Ordinal);
        Assert.NotEmpty(fault.Remedy);
        return fault.Message;
    }

    private static byte[] Fields(uint signature, int[] shorts, int a, int b, int? c, int[] more)
    {
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream);
        writer.Write(signature);
        foreach (var value in shorts) writer.Write((ushort)value);
        writer.Write(a);
        writer.Write(b);
        if (c is { } third) writer.Write(third);
        foreach (var value in more) writer.Write((ushort)value);
        return stream.ToArray();
    }
}
