using System.Globalization;
using System.Text.RegularExpressions;

namespace StableTune.Formats.Tests.Torch;

/// <summary>Pickles that want more than to be read. Each is refused, says what it asked for, and costs next to nothing.</summary>
public sealed class TorchHostileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("os", "system")]
    [InlineData("posix", "system")]
    [InlineData("nt", "system")]
    [InlineData("subprocess", "Popen")]
    [InlineData("builtins", "eval")]
    [InlineData("builtins", "exec")]
    [InlineData("builtins", "getattr")]
    [InlineData("__builtin__", "eval")]
    [InlineData("__builtin__", "apply")]
    [InlineData("runpy", "_run_code")]
    [InlineData("webbrowser", "open")]
    [InlineData("socket", "create_connection")]
    [InlineData("torch", "load")]
    [InlineData("torch", "FloatStorage.__class__")]
    [InlineData("torch.hub", "load")]
    [InlineData("torch.storage", "_load_from_bytes")]
    [InlineData("torch.jit", "load")]
    [InlineData("numpy", "load")]
    [InlineData("numpy.testing._private.utils", "runstring")]
    [InlineData("_codecs", "decode")]
    [InlineData("copyreg", "_reconstructor")]
    [InlineData("copy_reg", "add_extension")]
    [InlineData("collections", "namedtuple")]
    [InlineData("pytorch_lightningx", "callbacks")]
    [InlineData("omegaconf_evil", "x")]
    [InlineData("", "")]
    public void Open_FunctionNobodyNeeds_IsRefusedByName(string module, string name)
    {
        var call = RawTorch.Text("touch " + _folder.File("ran")) + "\u0085R.";
        string[] forms =
        [
            $"\u0080\u0002c{module}\n{name}\n{call}",
            $"c{module}\n{name}\n{call}",
            $"\u0080\u0004\u008c{(char)module.Length}{module}\u008c{(char)name.Length}{name}\u0093{call}",
            "\u0080\u0002}" + RawTorch.Text("state_dict") + $"}}sc{module}\n{name}\n0.",                    // never called, only named
        ];
        foreach (var pickle in forms)
        {
            Assert.Contains($"'{module}.{name}'", RawTorch.Refusal(_folder, RawTorch.Zip(pickle)));
            Assert.Contains($"'{module}.{name}'", RawTorch.Refusal(_folder, RawTorch.Legacy(pickle, [])));
        }

        Assert.Contains($"'{module}.{name}'", RawTorch.Refusal(_folder, RawTorch.Latin1(forms[0])));        // a bare pickle
        Assert.False(File.Exists(_folder.File("ran")));
    }

    [Theory]
    [InlineData("cpytorch_lightning.callbacks\nModelCheckpoint\n)R.", "calls 'pytorch_lightning.callbacks.ModelCheckpoint'")]
    [InlineData("ctorch\nFloatStorage\n)R.", "calls 'torch.FloatStorage'")]
    [InlineData("cbuiltins\ndict\n)R.", "calls 'builtins.dict'")]
    [InlineData("ctyping\nAny\n)\u0081.", "calls 'typing.Any'")]
    [InlineData("]" + ")R.", "calls list of 0, which is no function")]
    [InlineData("cbuiltins\nset\n]R.", "without a tuple of arguments")]
    [InlineData("cbuiltins\nset\n(K\u0001tR.", "other arguments than a list")]
    [InlineData("ccollections\nOrderedDict\n(](K\u0001aetR.", "appends to what is no list")]
    [InlineData("ccollections\nOrderedDict\n(]K\u0001atR.", "a list of other things than pairs")]
    [InlineData("c_codecs\nencode\n(X\u0001\u0000\u0000\u0000aX\u0005\u0000\u0000\u0000utf-8tR.",
        "other arguments than a text and 'latin1'")]
    [InlineData("c_codecs\nencode\n(X\u0003\u0000\u0000\u0000\u00e2\u0098\u0083X\u0006\u0000\u0000\u0000latin1tR.", "beyond Latin-1")]
    [InlineData("ctorch._utils\n_rebuild_tensor_v2\n(tR.", "without a storage")]
    [InlineData("ctorch._utils\n_rebuild_parameter\n(NtR.", "without a tensor")]
    [InlineData("ctorch.nn.modules.container\nParameterDict\n)\u0081}X\u000b\u0000\u0000\u0000_parameters]sb.",
        "whose parameters are no dictionary")]
    [InlineData("cnumpy\ndtype\nX\u0002\u0000\u0000\u0000O8\u0085R.", "NumPy values of type 'O8'")]
    [InlineData("cnumpy\ndtype\nX\u0002\u0000\u0000\u0000f4\u0085R(K\u0003X\u0001\u0000\u0000\u0000>tb.", "most significant byte first")]
    [InlineData("cnumpy.core.multiarray\n_reconstruct\ncos\nsystem\n\u0085R.", "'os.system'")]
    [InlineData("cnumpy.core.multiarray\n_reconstruct\ncnumpy\ndtype\n\u0085R.", "something else than numpy.ndarray")]
    [InlineData("cnumpy.core.multiarray\nscalar\n(NNtR.", "without a type")]
    [InlineData(
        "cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n\u0085R(K\u0001K\u0004\u0085"
            + "cnumpy\ndtype\nX\u0002\u0000\u0000\u0000f4\u0085R\u0089C\u0003abctb.", "F32 [4] has 3 bytes")]
    [InlineData("(ios\nsystem\n.", "INST (0x69) at byte 1 of data.pkl")]
    [InlineData("(o.", "OBJ (0x6F)")]
    [InlineData("N2.", "DUP (0x32)")]
    [InlineData("\u0082\u0001.", "EXT1 (0x82)")]
    [InlineData(")}\u0092.", "NEWOBJ_EX (0x92)")]
    [InlineData("\u0096\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000.", "BYTEARRAY8")]
    [InlineData("S'x'\n.", "STRING (0x53)")]
    [InlineData("\u00ff.", "of no name (0xFF)")]
    [InlineData("\u0080\u0006N.", "protocol 6")]
    [InlineData(".", "with 0 values instead of one")]
    [InlineData("NN.", "with 2 values")]
    [InlineData("N(.", "with 1 values")]
    [InlineData("0.", "takes a value where it put none")]
    [InlineData("K\u0001t.", "ends a group that it did not begin")]
    [InlineData("(\u0085.", "takes a value where it put none")]
    [InlineData("h\u0007.", "recalls value 7")]
    [InlineData("gx\n.", "'x' where the number of a remembered value should stand")]
    [InlineData("Ix\n.", "'x' where an integer should stand")]
    [InlineData("q\u0000.", "takes a value where it put none")]
    [InlineData("NNa.", "appends to what is no list")]
    [InlineData(")Na.", "appends to what is no list")]
    [InlineData("](Ne}NNu.", "ends a group that it did not begin")]
    [InlineData("}(Nu.", "a key without a value")]
    [InlineData("]NNs.", "items of what is no dictionary")]
    [InlineData("}]Ns.", "uses list of 0 as a dictionary key")]
    [InlineData("})\u0085Ns.", "uses tuple of 1 as a dictionary key")]
    [InlineData("NNb.", "sets the state of None")]
    [InlineData("}}b.", "sets the state of a dict")]
    [InlineData("NN\u0093.", "asks for a name that is no text")]
    [InlineData("NQ.", "has None where a storage")]
    [InlineData("Px\n.", "has 'x' where a storage")]
    [InlineData("X\u0002\u0000\u0000\u0000\u00ff\u00fe.", "not valid UTF-8")]
    [InlineData("V\\uZZZZ\n.", "broken \\u escape")]
    [InlineData("V\\ud800\n.", "broken \\u escape")]
    [InlineData("X\u00ff\u00ff\u00ff\u00ff.", "has 4294967295 bytes, and at most 67108864")]
    [InlineData("X\u00ff\u0000\u0000\u0000a.", "truncated: 255 byte(s) are announced")]
    [InlineData("\u008d\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff.", "at most 67108864")]
    [InlineData("B\u0000\u0000\u0000\u0004.", "truncated: 67108864 byte(s)")]
    [InlineData("\u008b\u00ff\u00ff\u00ff\u007f.", "an integer has 2147483647 bytes")]
    [InlineData("\u0095\u00ff\u0000\u0000\u0000\u0000\u0000\u0000\u0000N.", "truncated")]
    [InlineData("]q\u0000h\u0000a.", "a list in the pickle holds itself")]
    [InlineData("}q\u0000Nh\u0000\u0085s.", "holds itself")]
    [InlineData("comegaconf\nX\n)\u0081q\u0000h\u0000b.", "holds itself")]
    public void Open_PickleThatBreaksARule_SaysWhich(string pickle, string expected) =>
        Assert.Contains(expected, RawTorch.Refusal(_folder, RawTorch.Zip(pickle)));

    [Fact]
    public void Open_NamesOfAFile_AreShownShortenedAndOnOneLine()
    {
        var message = RawTorch.Refusal(
            _folder, RawTorch.Zip("\u0080\u0004" + RawTorch.Text("o\ns\u001b[31m") + RawTorch.Text(new string('x', 100_000)) + "\u0093."));
        Assert.Contains("'o\\u000as\\u001b[31m.xxx", message);
        Assert.InRange(message.Length, 100, 1000);
    }

    [Theory]
    [InlineData(1000, true)]
    [InlineData(1001, false)]
    [InlineData(100_000, false)]
    public void Open_NestedTuples_EndAtAThousand(int depth, bool accepted)
    {
        string[] pickles =
        [
            "N" + new string('\u0085', depth) + ".",                                        // tuples around tuples
            new string('(', depth) + new string('t', depth) + ".",                          // groups within groups
            new string(']', depth) + "N" + new string('a', depth) + ".",                    // lists that are filled from the inside
            string.Concat(Enumerable.Repeat("}N", depth)) + "N" + new string('s', depth) + ".",
        ];
        foreach (var pickle in pickles)
            if (accepted) RawTorch.Open(_folder, RawTorch.Zip(pickle));
            else Assert.Contains("nested more than 1000 deep", RawTorch.Refusal(_folder, RawTorch.Zip(pickle)));
    }

    [Fact]
    public void Open_ListsNestedAfterwards_AreSeenToo()
    {
        // Each list is put into the one before only once that lies in its own: no instruction sees a deep value.
        var pickle = new System.Text.StringBuilder("]r" + RawTorch.Number4(0));
        for (var i = 1; i <= 2000; i++) pickle.Append("]r").Append(RawTorch.Number4(i)).Append('0');
        for (var i = 1; i <= 2000; i++) pickle.Append('j').Append(RawTorch.Number4(i - 1)).Append('j').Append(RawTorch.Number4(i))
            .Append("a0");
        Assert.Contains("nested more than 1000 deep", RawTorch.Refusal(_folder, RawTorch.Zip(pickle.Append('.').ToString())));
    }

    [Fact]
    public void Open_TuplesThatDouble_AreOneValueEach()
    {
        // As Python would print it this has 2^200 elements; here it is 200 tuples.
        var pickle = ")" + string.Concat(Enumerable.Repeat("q\u0000h\u0000\u0086", 200)) + ".";
        RawTorch.Open(_folder, RawTorch.Zip(pickle), file => Assert.Equal("tuple of 2", file.Root.ToString()));
    }

    public static TheoryData<string> Bombs()
    {
        var text = RawTorch.Text(new string('a', 100_000));
        var list = "](" + new string('N', 10_000) + "e";
        return new TheoryData<string>
        {
            "](" + text + "q\u0000c_codecs\nencode\nq\u0001" + Repeat("h\u0001h\u0000" + RawTorch.Text("latin1") + "\u0086R", 1000) + "e.",
            "}(" + text + "q\u0000N" + Repeat("h\u0000N", 5000) + "u.",
            "](" + list + "q\u0000cbuiltins\nset\nq\u0001" + Repeat("h\u0001h\u0000\u0085R", 1000) + "e.",
            "](" + text + "q\u0000" + Repeat("h\u0000h\u0000\u0093", 1) + "e.",
            "](" + "ccollections\nOrderedDict\nq\u0001]("
                + string.Concat(Enumerable.Range(0, 2000).Select(i => "J" + RawTorch.Number4(i) + "N\u0086")) + "eq\u0000"
                + Repeat("h\u0001h\u0000\u0085R", 3000) + "e.",
            "](" + text
                + "q\u0000cnumpy\ndtype\nX\u0002\u0000\u0000\u0000u1\u0085Rq\u0002"
                + "cnumpy\nndarray\nq\u0003cnumpy.core.multiarray\n_reconstruct\nq\u0004" +
                Repeat("h\u0004h\u0003\u0085R(" + RawTorch.Tuple(100_000) + "h\u0002\u0089h\u0000tb", 1000) + "e.",
        };
    }

    [Theory]
    [MemberData(nameof(Bombs))]
    public void Open_BombsOfRepetition_AreStoppedEarly(string pickle)
    {
        var bytes = RawTorch.Zip(pickle);
        var before = GC.GetAllocatedBytesForCurrentThread();
        var message = RawTorch.Refusal(_folder, bytes);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 10_000_000);
        // Names are refused before they are worked with. What repeats itself is stopped by the work charged, little more than the first
        // step over the limit.
        if (message.Contains("asks at byte", StringComparison.Ordinal)) return;
        var work = Regex.Match(message, "it makes ([0-9]+) bytes out of ([0-9]+)");
        Assert.True(work.Success, message);
        Assert.InRange(long.Parse(work.Groups[1].Value, CultureInfo.InvariantCulture), 1,
            (2 << 20) + (16 * long.Parse(work.Groups[2].Value, CultureInfo.InvariantCulture)));
    }

    [Theory]
    [InlineData("F32", 4, 0, new long[] { 5 }, new long[] { 1 }, "does not fit into storage 'k' of 16 bytes")]
    [InlineData("F32", 4, 1, new long[] { 4 }, new long[] { 1 }, "does not fit")]
    [InlineData("F32", 4, 0, new long[] { 2, 2 }, new long[] { 3, 1 }, "does not fit")]
    [InlineData("F32", 4, 0, new long[] { 4 }, new long[] { -1 }, "instead of sizes and strides")]
    [InlineData("F32", 4, -1, new long[] { 1 }, new long[] { 1 }, "without a storage and a place")]
    [InlineData("F32", 4, 0, new long[] { -4 }, new long[] { 1 }, "instead of sizes and strides")]
    [InlineData("F32", 4, 0, new long[] { 4 }, new long[] { 1, 1 }, "does not fit")]
    [InlineData("F32", 4, 0, new[] { 1L << 62, 4 }, new long[] { 0, 0 }, "does not fit")]
    [InlineData("F32", 4, 0, new[] { 1L << 40 }, new long[] { 0 }, "repeats the 16 bytes of its storage up to 4398046511104")]
    [InlineData("F32", 4, 0, new[] { 2, 1L << 20, 1L << 20 }, new[] { 1L << 62, 0, 0 }, "does not fit")]
    [InlineData("F32", 4, long.MaxValue, new long[] { 1 }, new long[] { 1 }, "does not fit")]
    [InlineData("F32", -4, 0, new long[] { 1 }, new long[] { 1 }, "instead of a number of elements")]
    [InlineData("F32", long.MaxValue, 0, new long[] { 1 }, new long[] { 1 }, "impossible number of")]
    [InlineData("F32", 5, 0, new long[] { 1 }, new long[] { 1 }, "storage 'k' has 16 bytes, but its tensors need 20")]
    [InlineData("F32", 1L << 40, 0, new[] { 1L << 40 }, new long[] { 1 }, "has 16 bytes, but its tensors need 4398046511104")]
    public void Open_TensorOutsideItsStorage_IsRefused(string type, long count, long offset, long[] shape, long[] strides, string expected)
    {
        Assert.Equal("F32", type);
        var pickle = RawTorch.Dictionary(("w", RawTorch.Tensor("k", "FloatStorage", count, offset, shape, strides)));
        Assert.Contains(expected, RawTorch.Refusal(_folder, RawTorch.Zip(pickle, ("k", new byte[16]))));
        RawTorch.Refusal(_folder, RawTorch.Legacy(pickle, ["k"], (4, new byte[16])));
    }

    [Fact]
    public void Open_ManyTensorsOfOneStorage_MayNotMakeTimesTheFile()
    {
        var entries = Enumerable.Range(0, 500).Select(i => ($"w{i}", RawTorch.Tensor("k", "ByteStorage", 1 << 20, 0, [1 << 20], [1])))
            .ToArray();
        Assert.Contains("they repeat the same elements",
            RawTorch.Refusal(_folder, RawTorch.Zip(RawTorch.Dictionary(entries), ("k", new byte[1 << 20]))));
        RawTorch.Open(_folder, RawTorch.Zip(RawTorch.Dictionary(entries[..50]), ("k", new byte[1 << 20])), file =>
            Assert.Equal(50, file.Tensors.Count));
    }

    [Fact]
    public void Open_TooManyDimensions_IsRefused()
    {
        var ones = Enumerable.Repeat(1L, 65).ToArray();
        Assert.Contains("instead of sizes and strides",
            RawTorch.Refusal(_folder, RawTorch.Zip(
            RawTorch.Dictionary(("w", RawTorch.Tensor("k", "FloatStorage", 4, 0, ones, ones))), ("k", new byte[16]))));
    }

    private static string Repeat(string text, int count) => string.Concat(Enumerable.Repeat(text, count));
}
