namespace StableTune.Formats.Tests.Torch;

/// <summary>Weights of Paddle: pickles of NumPy arrays, as protocol 4 and 2 have them.</summary>
public sealed class PaddleFileTests : IDisposable
{
    private static readonly byte[] Large = [.. Enumerable.Range(0, 20_000).Select(i => (byte)(i * 7))];

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static string Latin1(byte[] bytes) => string.Concat(bytes.Select(b => (char)b));

    /// <summary>An array; the first one of a pickle tells the names, the others recall them.</summary>
    private static string Array(string type, long[] shape, string bytes, char columnsFirst = '\u0089') =>
        "cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\u0000\u0085C\u0001b\u0087R(K\u0001" + RawTorch.Tuple(shape) +
        "cnumpy\ndtype\n" + RawTorch.Text(type) + "\u0089\u0088\u0087R(K\u0003" + RawTorch.Text("<")
            + "NNNJ\u00ff\u00ff\u00ff\u00ffJ\u00ff\u00ff\u00ff\u00ffK\u0000tb" + columnsFirst + bytes + "tb";

    private static string Weights => "\u0080\u0004}(" +
        RawTorch.Text("linear.weight") + Array("f4", [100, 50], "B" + RawTorch.Number4(20_000) + Latin1(Large)) +
        RawTorch.Text("columns") + Array("u1", [2, 3], "C\u0006\u0001\u0002\u0003\u0004\u0005\u0006", '\u0088') +
        RawTorch.Text("half") + Array("u2", [2], "C\u0004\u0080\u003f\u0000\u0040") +
        RawTorch.Text("StructuredToParameterName@@") + "}" + RawTorch.Text("linear.weight") + RawTorch.Text("linear_0.w_0") + "su.";

    [Fact]
    public unsafe void Open_Arrays_AreReadFromTheirPlaces()
    {
        using var file = Open(Weights);
        Assert.IsType<PaddleFile>(file);
        Assert.Equal(["linear.weight: F32 [100, 50]", "columns: U8 [2, 3]", "half: U16 [2]"], file.Tensors.Select(t => $"{t.Name}: {t}"));
        Assert.Equal(Large, file.Bytes("linear.weight"));
        Assert.Equal([1, 3, 5, 2, 4, 6], file.Bytes("columns"));
        Assert.Equal([0x80, 0x3F, 0, 0x40], file.Bytes("half"));
        using var lease = file.Lease(file["linear.weight"])!;
        Assert.Equal(Large, new ReadOnlySpan<byte>((void*)lease.Pointer, (int)lease.ByteCount).ToArray());
        Assert.Null(file.Lease(file["columns"]));
        Assert.Empty(file.Metadata);
        Assert.Throws<InvalidFileException>(() => file["none"]);
    }

    [Theory]
    [InlineData("linear.weight", 4)]
    [InlineData("columns", 1)]      // lies column by column in the file
    public void ReadTransposed_ExchangesRowsAndColumns_InWholeAndInParts(string name, int size)
    {
        using var file = Open(Weights);
        var (info, bytes) = (file[name], file.Bytes(name));
        var (rows, columns) = ((int)info.Shape[0], (int)info.Shape[1]);
        var expected = new byte[bytes.Length];
        for (var i = 0; i < rows * columns; i++)
            System.Array.Copy(bytes, i * size, expected, ((i % columns * rows) + (i / columns)) * size, size);
        var paddle = Assert.IsType<PaddleFile>(file);
        var whole = new byte[bytes.Length];
        paddle.ReadTransposed(info, whole);
        Assert.Equal(expected, whole);
        foreach (var (offset, length) in new[] { (0, size), (size, bytes.Length - size), (1, 3), (bytes.Length - 3, 2), (bytes.Length, 0) })
        {
            var part = new byte[length];
            paddle.ReadTransposed(info, part, offset);
            Assert.Equal(expected[offset..(offset + length)], part);
        }

        Assert.Throws<ArgumentOutOfRangeException>(() => paddle.ReadTransposed(info, new byte[2], bytes.Length - 1));
        Assert.Throws<ArgumentException>(() => paddle.ReadTransposed(file["half"], new byte[2]));
    }

    [Fact]
    public void Open_BytesAsText_AsProtocol2HasThem()
    {
        var utf8 = Latin1([0xC2, 0x80, 0x3F, 0x00, 0x40]);
        using var file = Open("\u0080\u0002}" + RawTorch.Text("w")
            + Array("u2", [2], "c_codecs\nencode\n" + RawTorch.Text(utf8) + RawTorch.Text("latin1") + "\u0086R") + "s.");
        Assert.Equal([0x80, 0x3F, 0, 0x40], file.Bytes("w"));
    }

    [Fact]
    public void Open_TruncatedAnywhere_IsRefused()
    {
        var bytes = RawTorch.Latin1(Weights);
        for (var length = 3; length < bytes.Length; length += length is > 300 and < 20_000 ? 997 : 1) Refusal(Latin1(bytes[..length]));
    }

    [Theory]
    [InlineData("\u0080\u0004cos\nsystem\n.", "'os.system'")]
    [InlineData("\u0080\u0004}.", "a Python pickle of dict of 0, and neither a torch file nor a dictionary of NumPy arrays")]
    [InlineData("\u0080\u0004](K\u0001K\u0002e.", "a Python pickle of list of 2")]
    [InlineData("\u0080\u0004)Q.", "names a storage")]
    public void Open_OtherPickles_AreRefused(string pickle, string expected) => Assert.Contains(expected, Refusal(pickle));

    [Fact]
    public void Open_TorchFileOfTheOlderForm_IsTorch()
    {
        var pickle = RawTorch.Dictionary(("a", RawTorch.Tensor("0", "ByteStorage", 1, 0, [], [])));
        File.WriteAllBytes(_folder.File("any"), RawTorch.Legacy(pickle, ["0"], (1, [9])));
        using var file = TensorFile.Open(_folder.File("any"));
        Assert.IsType<TorchFile>(file);
    }

    [Fact]
    public void Open_MutatedBytes_AreRefusedOrReadInBounds()
    {
        var rounds = Exhaustive.Runs(500, 20_000);
        var random = new Random(12);
        var (accepted, refused) = (0, 0);
        for (var i = 0; i < rounds; i++)
        {
            var damaged = Weights.ToCharArray();
            for (var n = random.Next(1, 4); n > 0; n--)
            {
                var at = random.Next(2, damaged.Length);
                // the structure, not the numbers
                if (at > 400) at = random.Next(2) == 0 ? random.Next(2, 400) : damaged.Length - random.Next(1, 700);
                damaged[at] = random.Next(2) == 0 ? (char)random.Next(256) : (char)(damaged[at] ^ (1 << random.Next(8)));
            }

            try
            {
                using var file = Open(new string(damaged));
                foreach (var tensor in file.Tensors) file.Bytes(tensor);
                accepted++;
            }
            catch (InvalidFileException)
            {
                refused++;
            }
        }

        Assert.InRange(accepted, rounds / 100, rounds);
        Assert.InRange(refused, rounds / 10, rounds);
    }

    private ITensorFile Open(string pickle)
    {
        File.WriteAllBytes(_folder.File("model_state.pdparams"), RawTorch.Latin1(pickle));
        return TensorFile.Open(_folder.File("model_state.pdparams"));
    }

    private string Refusal(string pickle)
    {
        var fault = Assert.Throws<InvalidFileException>(() => Open(pickle));
        Assert.NotEmpty(fault.Remedy);
        return fault.Message;
    }
}
