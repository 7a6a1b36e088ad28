namespace StableTune.Formats.Tests.Torch;

/// <summary>The values of pickles that programs write: every instruction, tensors of every layout, NumPy, training objects.</summary>
public sealed class TorchValueTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("N.", "None")]
    [InlineData("\u0088.", "True")]
    [InlineData("\u0089.", "False")]
    [InlineData("I01\n.", "True")]
    [InlineData("I00\n.", "False")]
    [InlineData("I-17\n.", "-17")]
    [InlineData("J\u00fe\u00ff\u00ff\u00ff.", "-2")]
    [InlineData("K\u00ff.", "255")]
    [InlineData("M\u00ff\u00ff.", "65535")]
    [InlineData("L-12345678901L\n.", "-12345678901")]
    [InlineData("\u008a\u0000.", "0")]
    [InlineData("\u008a\u0001\u00ff.", "-1")]
    [InlineData("\u008a\u0002\u00ff\u0000.", "255")]
    [InlineData("\u008a\u0008\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0080.", "-9223372036854775808")]
    [InlineData("\u008a\u0009\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u0000.", "an integer of more than 63 bits")]
    [InlineData("\u008b\u0003\u0000\u0000\u0000\u0001\u0002\u0003.", "197121")]
    [InlineData("G\u003f\u00f8\u0000\u0000\u0000\u0000\u0000\u0000.", "1.5")]
    [InlineData("X\u0003\u0000\u0000\u0000\u00e2\u0098\u0083.", "'☃'")]
    [InlineData("\u008c\u0001a.", "'a'")]
    [InlineData("\u008d\u0001\u0000\u0000\u0000\u0000\u0000\u0000\u0000a.", "'a'")]
    [InlineData("Va\\u2603\\x\\U0001f438\n.", "'a☃\\x\\ud83d\\udc38'")]
    [InlineData("U\u0003abc.", "'abc'")]
    [InlineData("T\u0001\u0000\u0000\u0000a.", "'a'")]
    [InlineData("U\u0001\u00ff.", "bytes")]
    [InlineData("C\u0001a.", "bytes")]
    [InlineData("B\u0001\u0000\u0000\u0000a.", "bytes")]
    [InlineData("\u0095\u0002\u0000\u0000\u0000\u0000\u0000\u0000\u0000N.", "None")]
    [InlineData("(NNt.", "tuple of 2")]
    [InlineData(").", "tuple of 0")]
    [InlineData("NNN\u0087.", "tuple of 3")]
    [InlineData("(NNl.", "list of 2")]
    [InlineData("](NNe.", "list of 2")]
    [InlineData("]Na.", "list of 1")]
    [InlineData("(K\u0001NK\u0002Nd.", "dict of 2")]
    [InlineData("}(K\u0001NK\u0001NK\u0002\u0085Nu.", "dict of 2")]
    [InlineData("\u008f(NN\u0090.", "set of 2")]
    [InlineData("(N\u0091.", "frozenset of 1")]
    [InlineData("c__builtin__\nset\n](Ne\u0085R.", "set of 1")]
    [InlineData("N(NN10\u0085.", "tuple of 1", true)]
    [InlineData("N(0.", "None")]
    [InlineData("N(NN1.", "None")]
    [InlineData("]p0\n0g0\n.", "list of 0")]
    [InlineData("]q\u00050h\u0005.", "list of 0")]
    [InlineData("]r\u00ff\u00ff\u00ff\u00ff0j\u00ff\u00ff\u00ff\u00ff.", "list of 0")]
    [InlineData("]\u00940h\u0000.", "list of 0")]
    [InlineData("ccollections\nOrderedDict\n)R}b.", "OrderedDict of 0")]
    [InlineData("ccollections\nOrderedDict\n]K\u0001N\u0086a\u0085R.", "OrderedDict of 1")]
    [InlineData("ccollections\nOrderedDict\n.", "collections.OrderedDict")]
    [InlineData("ctorch\nSize\n(K\u0001K\u0002t\u0085R.", "tuple of 2")]
    [InlineData("ctorch\nfloat16\n.", "torch.float16")]
    [InlineData("ctorch\ndevice\nU\u0003cpu\u0085R.", "torch.device")]
    [InlineData("cargparse\nNamespace\n)\u0081}U\u0002lrG\u003f\u00f8\u0000\u0000\u0000\u0000\u0000\u0000sb.", "argparse.Namespace")]
    [InlineData("ccollections\ndefaultdict\nc__builtin__\ndict\n\u0085R.", "dict of 0")]
    [InlineData("}cpytorch_lightning.callbacks.model_checkpoint\nModelCheckpoint\nNs.", "dict of 1")]
    public void Open_EveryInstruction_MakesItsValue(string pickle, string expected, bool underflow = false)
    {
        if (underflow) Assert.Contains("takes a value", RawTorch.Refusal(_folder, RawTorch.Zip(pickle)));
        else RawTorch.Open(_folder, RawTorch.Zip(pickle), file => Assert.Equal(expected, file.Root.ToString()));
    }

    [Fact]
    public void Open_Records_KeepArgumentsAndState() => RawTorch.Open(_folder,
        RawTorch.Zip("comegaconf.listconfig\nListConfig\n(K\u0007t\u0081}" + RawTorch.Text("_content") + "](K\u0001K\u0002esb."), file =>
        {
            var record = Assert.IsType<PickleRecord>(file.Root);
            Assert.Equal(("omegaconf.listconfig", "ListConfig"), (record.Type.Module, record.Type.Name));
            Assert.Equal("7", Assert.IsType<PickleSequence>(record.Arguments)[0].ToString());
            Assert.Equal("list of 2", record.State!.Get("_content").ToString());
            Assert.Empty(file.Tensors);
            Assert.Null(file.StateDictionary);
        });

    [Fact]
    public void Open_ParameterDictionary_HasItsParameters() => RawTorch.Open(_folder,
        RawTorch.Zip("}" + RawTorch.Text("string_to_param") + "ctorch.nn.modules.container\nParameterDict\n)\u0081}"
            + RawTorch.Text("_parameters") +
            "ccollections\nOrderedDict\n)R" + RawTorch.Text("*") + "ctorch._utils\n_rebuild_parameter\n("
                + RawTorch.Tensor("0", "FloatStorage", 2, 0, [1, 2], [2, 1]) +
            "\u0088ccollections\nOrderedDict\n)RtRssbs.", ("0", [1, 2, 3, 4, 5, 6, 7, 8])),
        file => Assert.Equal([1, 2, 3, 4, 5, 6, 7, 8], file.BytesOf(file.Root.Get("string_to_param").Get("*"))));

    [Theory]
    [InlineData("f4", "\u0000\u0000\u00c0\u003f", "1.5")]
    [InlineData("<f8", "\u0000\u0000\u0000\u0000\u0000\u0000\u00f8\u003f", "1.5")]
    [InlineData("f2", "\u0000\u003e", "1.5")]
    [InlineData("i8", "\u00fe\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff", "-2")]
    [InlineData("u2", "\u00fe\u00ff", "65534")]
    [InlineData("b1", "\u0001", "True")]
    public void Open_NumpyScalars_AreNumbers(string type, string bytes, string expected)
    {
        var start = $"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n({RawTorch.Text(type)}K\u0000K\u0001tR(K\u0003"
            + $"{RawTorch.Text("<")}NNNJ\u00ff\u00ff\u00ff\u00ffJ\u00ff\u00ff\u00ff\u00ffK\u0000tb";
        RawTorch.Open(_folder, RawTorch.Zip($"{start}C{(char)bytes.Length}{bytes}tR."), file =>
            Assert.Equal(expected, file.Root.ToString()));
        var utf8 = string.Concat(System.Text.Encoding.UTF8.GetBytes(bytes).Select(b => (char)b));
        RawTorch.Open(_folder, RawTorch.Zip($"{start}c_codecs\nencode\n({RawTorch.Text(utf8)}{RawTorch.Text("latin1")}tRtR."), file =>
            Assert.Equal(expected, file.Root.ToString()));
    }

    [Theory]
    [InlineData('\u0089', new byte[] { 1, 2, 3, 4, 5, 6 })]
    [InlineData('\u0088', new byte[] { 1, 3, 5, 2, 4, 6 })]
    public void Open_NumpyArrays_AreReadRowByRow(char columnsFirst, byte[] expected) => RawTorch.Open(_folder,
        RawTorch.Zip("}" + RawTorch.Text("a")
            + "cnumpy._core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\u0000\u0085C\u0001btR(K\u0001K\u0002K\u0003\u0086"
            + "cnumpy\ndtype\nX\u0002\u0000\u0000\u0000u1\u0085R" +
            columnsFirst + "C\u0006\u0001\u0002\u0003\u0004\u0005\u0006tbs."), file =>
        {
            Assert.Equal("U8 [2, 3]", file["a"].ToString());
            Assert.Equal(expected, file.Bytes("a"));
            Assert.Null(file.Lease(file["a"]));
        });

    [Fact]
    public void Open_NumpyArrayWithoutState_IsEmpty() => RawTorch.Open(_folder,
        RawTorch.Zip("}" + RawTorch.Text("a") + "cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\u0000\u0085C\u0001btRs."),
            file =>
        {
            Assert.Empty(file.Bytes("a"));
            Assert.Empty(file.BytesOf(file.Root.Get("a")));
            Assert.Null(file.Lease(file["a"]));
        });

    [Fact]
    public void Tensors_AreThoseOfTheStateDictionaryOnly()
    {
        var tensor = RawTorch.Tensor("0", "ByteStorage", 1, 0, [], []);
        var pickle = RawTorch.Dictionary(("optimizer", "}" + RawTorch.Text("m") + tensor + "s"), ("other", tensor),
            ("state_dict", "}(" + RawTorch.Text("w") + tensor + "K\u0007" + tensor + RawTorch.Text("nested") + "}" + RawTorch.Text("x")
                + tensor + "s" + RawTorch.Text("step") + "K\u0001u"));
        RawTorch.Open(_folder, RawTorch.Zip(pickle, ("0", [5])), file =>
        {
            Assert.Equal("w", Assert.Single(file.Tensors).Name);
            Assert.Equal([5], file.BytesOf(file.Root.Get("optimizer").Get("m")));
            Assert.Equal([5], file.BytesOf(file.Root.Get("other")));
        });
    }

    [Fact]
    public void Open_UntypedStorages_TakeTheTypeOfTheTensor() => RawTorch.Open(_folder,
        RawTorch.Zip("}(" + RawTorch.Text("a") + RawTorch.Tensor("0", "UntypedStorage", 4, 1, [2], [1], module: "torch.storage")
            + RawTorch.Text("b") +
            RawTorch.Tensor("0", "UntypedStorage", 4, 1, [1], [1], module: "torch.storage")
                .Replace("_v2", "_v3", StringComparison.Ordinal)[..^2] + "ctorch\nfloat8_e5m2\ntR" + "u.", ("0", [1, 2, 3, 4])), file =>
        {
            Assert.Equal(["U8 [2]", "F8_E5M2 [1]"], file.Tensors.Select(t => t.ToString()));
            Assert.Equal([2, 3], file.Bytes("a"));
            Assert.Equal([2], file.Bytes("b"));
        });

    [Theory]
    [InlineData(new long[] { 4, 6 }, new long[] { 6, 1 }, 0)]
    [InlineData(new long[] { 6, 4 }, new long[] { 1, 6 }, 0)]            // transposed
    [InlineData(new long[] { 4, 3 }, new long[] { 6, 2 }, 1)]            // every second
    [InlineData(new long[] { 3, 6 }, new long[] { 6, 1 }, 6)]            // a slice
    [InlineData(new long[] { 2, 3, 2 }, new long[] { 12, 1, 6 }, 2)]     // permuted
    [InlineData(new long[] { 5, 6 }, new long[] { 0, 1 }, 3)]            // expanded
    [InlineData(new long[] { 5 }, new long[] { 0 }, 23)]
    [InlineData(new long[] { 6, 5 }, new long[] { 1, 0 }, 3)]
    [InlineData(new long[] { 3, 4 }, new long[] { 2, 1 }, 0)]            // overlapping rows
    [InlineData(new long[] { 4, 1, 6 }, new long[] { 6, 99, 1 }, 0)]     // the stride of a single one is of no meaning
    [InlineData(new long[] { 4, 0, 6 }, new long[] { 6, 1, 1 }, 0)]
    [InlineData(new long[] { }, new long[] { }, 17)]
    [InlineData(new long[] { 1, 1 }, new long[] { 7, 7 }, 17)]
    public void Read_EveryLayout_GivesRowMajorBytes(long[] shape, long[] strides, long offset)
    {
        (string Storage, int Size)[] types = [("ByteStorage", 1), ("HalfStorage", 2), ("FloatStorage", 4), ("DoubleStorage", 8)];
        foreach (var (storage, size) in types)
        {
            var bytes = new byte[24 * size];
            new Random(size).NextBytes(bytes);
            var expected = Expected(bytes, size, shape, strides, offset);
            RawTorch.Open(_folder, RawTorch.Zip(
                RawTorch.Dictionary(("w", RawTorch.Tensor("0", storage, 24, offset, shape, strides))), ("0", bytes)), file =>
            {
                Assert.Equal(expected, file.Bytes("w"));
                for (var from = 0; from < expected.Length; from += 3)
                    for (var count = 0; count <= expected.Length - from; count += 5)
                    {
                        var piece = new byte[count];
                        file.Read(file["w"], piece, from);
                        Assert.Equal(expected[from..(from + count)], piece);
                    }

                using var lease = file.Lease(file["w"]);
                if (lease is not null) Assert.Equal(expected, Mapped(lease));
            });
        }
    }

    private static unsafe byte[] Mapped(MappedTensor lease) => new ReadOnlySpan<byte>((void*)lease.Pointer, (int)lease.ByteCount).ToArray();

    /// <summary>The definition: walks all indices.</summary>
    private static byte[] Expected(byte[] storage, int size, long[] shape, long[] strides, long offset)
    {
        var result = new List<byte>();
        Walk(0, offset);
        return [.. result];

        void Walk(int dimension, long at)
        {
            if (dimension == shape.Length) result.AddRange(storage[(int)(at * size)..(int)((at + 1) * size)]);
            else for (var i = 0; i < shape[dimension]; i++) Walk(dimension + 1, at + (i * strides[dimension]));
        }
    }
}
