namespace StableTune.Formats.Tests.Torch;

/// <summary>
/// Damaged files by the thousand: each is refused with the one exception, or all of it can be read, within bounds of memory.
/// STABLETUNE_ALL_TESTS=1 (tests/run.sh --all) makes it more than a hundred thousand.
/// </summary>
public sealed class TorchFuzzTests : IDisposable
{
    private static readonly int Rounds = Exhaustive.Runs(1_000, 20_000);

    /// <summary>Instructions and arguments that tend to lead somewhere.</summary>
    private static readonly string[] Pieces =
    [
        "(", ")", "]", "}", "t", "u", "s", "e", "a", "0", "1", "2", "R", "b", "Q", ".", "N", "\u0081", "\u0085", "\u0086", "\u0087",
            "\u0088", "\u0090", "\u0091", "\u0093", "\u0094",
        "q\u0000", "h\u0000", "h\u0001", "K\u0000", "K\u00ff", "M\u00ff\u00ff", "J\u00ff\u00ff\u00ff\u00ff",
            "\u008a\u0008\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u007f",
        "X\u0000\u0000\u0000\u0000", "X\u00ff\u00ff\u00ff\u00ff", "X\u0001\u0000\u0000\u0000a", "B\u0004\u0000\u0000\u0000abcd",
            "\u008b\u00ff\u00ff\u0000\u0000", "\u0095\u00ff\u0000\u0000\u0000\u0000\u0000\u0000\u0000",
        "cos\nsystem\n", "ctorch\nFloatStorage\n", "ctorch\nUntypedStorage\n", "ccollections\nOrderedDict\n", "cnumpy\nndarray\n",
            "cnumpy\ndtype\n", "cnumpy.core.multiarray\n_reconstruct\n",
        "cnumpy.core.multiarray\nscalar\n", "c_codecs\nencode\n", "cbuiltins\nset\n", "ctorch._utils\n_rebuild_tensor_v2\n",
            "ctorch._utils\n_rebuild_tensor_v3\n", "ctorch._utils\n_rebuild_parameter\n",
        "comegaconf\nX\n", "ctorch.nn.modules.container\nParameterDict\n", "ctorch\nfloat8_e5m2\n", "X\u0006\u0000\u0000\u0000latin1",
            "X\u0002\u0000\u0000\u0000f4", "X\u0007\u0000\u0000\u0000storage",
    ];

    private readonly TemporaryFolder _folder = new();
    private int _refused, _accepted;

    public void Dispose() => _folder.Dispose();

    private static string Pickle => RawTorch.Dictionary(
        ("epoch", "K\u0003"),
        ("callbacks", "}cpytorch_lightning.callbacks\nModelCheckpoint\n}" + RawTorch.Text("best")
            + "cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(" + RawTorch.Text("f8") + "K\u0000K\u0001tR(K\u0003" +
            RawTorch.Text("<") + "NNNJ\u00ff\u00ff\u00ff\u00ffJ\u00ff\u00ff\u00ff\u00ffK\u0000tbC\u0008abcdefghtRss"),
        ("array",
            "cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\u0000\u0085C\u0001btR(K\u0001K\u0002K\u0003\u0086"
            + "cnumpy\ndtype\nX\u0002\u0000\u0000\u0000u1\u0085R\u0088C\u0006abcdeftb"),
        ("state_dict", "}q\u0001(" + RawTorch.Text("a") + RawTorch.Tensor("0", "FloatStorage", 24, 0, [4, 6], [6, 1]) + RawTorch.Text("b")
            + RawTorch.Tensor("0", "FloatStorage", 24, 1, [6, 3], [1, 6]) +
            RawTorch.Text("c") + RawTorch.Tensor("1", "ByteStorage", 8, 0, [8], [1]) + RawTorch.Text("d")
                + "]q\u0000(K\u0001K\u0002h\u0001eq\u0002u0h\u0001"));

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Open_MutatedInstructions_AreRefusedOrReadInBounds(int seed)
    {
        var random = new Random(seed);
        // the base itself has no cycle
        var pickle = Pickle[..^2].Replace("h\u0001eq\u0002", "eq\u0002", StringComparison.Ordinal) + "u.";
        Run(() =>
        {
            var damaged = Mutate(pickle, random);
            return random.Next(2) == 0 ? RawTorch.Zip(damaged, ("0", new byte[96]), ("1", new byte[8]))
                : RawTorch.Legacy(damaged, ["0", "1"], (24, new byte[96]), (8, new byte[8]));
        });
        Assert.InRange(_accepted, Rounds / 100, Rounds * 4 / 5);
    }

    [Fact]
    public void Open_RandomPrograms_AreRefusedOrReadInBounds()
    {
        var random = new Random(3);
        Run(() => RawTorch.Zip(string.Concat(Enumerable.Range(0, random.Next(1, 60)).Select(_ => Pieces[random.Next(Pieces.Length)]))
            + ".", ("0", new byte[96])));
        Assert.InRange(_refused, Rounds / 2, Rounds);
    }

    [Theory]
    [InlineData("embedding_webui_style.pt")]
    [InlineData("handmade zip")]
    [InlineData("handmade legacy")]
    public void Open_MutatedBytes_AreRefusedOrReadInBounds(string name)
    {
        var pickle = RawTorch.Dictionary(("a", RawTorch.Tensor("0", "FloatStorage", 24, 0, [6, 4], [1, 6])));
        var bytes = name switch
        {
            "handmade zip" => RawTorch.Zip(pickle, ("0", new byte[96])),
            "handmade legacy" => RawTorch.Legacy(pickle, ["0"], (24, new byte[96])),
            _ => File.ReadAllBytes(TorchFixtures.Embedding(name)),
        };
        var random = new Random(4);
        Run(() => Mutate(bytes, random));
        Assert.InRange(_refused, Rounds / 10, Rounds);
    }

    private void Run(Func<byte[]> next)
    {
        var (before, total) = (GC.GetAllocatedBytesForCurrentThread(), 0L);
        for (var i = 0; i < Rounds; i++)
        {
            var bytes = next();
            total += bytes.Length;
            TryOpen(bytes);
        }

        // A file costs its buffers, and a small multiple of itself.
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, (Rounds * 300_000L) + (total * 30));
    }

    private void TryOpen(byte[] bytes)
    {
        try
        {
            RawTorch.Open(_folder, bytes, file =>
            {
                foreach (var tensor in file.Tensors)
                {
                    Assert.InRange(tensor.ByteCount, 0, (bytes.Length * 8L) + (64 << 20));
                    if (tensor.ByteCount > 1 << 20) continue;
                    var read = file.Bytes(tensor);
                    using var lease = file.Lease(tensor);
                    if (lease is not null) Assert.Equal(read, Mapped(lease));
                }

                Walk(file, file.Root, []);
            });
            _accepted++;
        }
        catch (InvalidFileException)
        {
            _refused++;
        }
    }

    private static unsafe byte[] Mapped(MappedTensor lease) => new ReadOnlySpan<byte>((void*)lease.Pointer, (int)lease.ByteCount).ToArray();

    /// <summary>Looks at every value once; without a bound on the nesting this would end the process.</summary>
    private static void Walk(TorchFile file, PickleValue value, HashSet<PickleValue> seen)
    {
        if (!seen.Add(value)) return;
        Assert.NotNull(value.ToString());
        if (value is PickleTensor { ByteCount: < 1 << 20 } tensor) file.BytesOf(tensor);
        if (value is PickleSequence sequence)
            foreach (var item in sequence) Walk(file, item, seen);
        if (value is PickleDictionary dictionary)
            foreach (var (key, item) in dictionary)
            {
                Walk(file, key, seen);
                Walk(file, item, seen);
            }

        if (value is not PickleRecord record) return;
        Walk(file, record.Arguments, seen);
        if (record.State is not null) Walk(file, record.State, seen);
    }

    private static string Mutate(string pickle, Random random)
    {
        for (var n = random.Next(1, 4); n > 0; n--)
        {
            var at = random.Next(pickle.Length);
            pickle = random.Next(5) switch
            {
                0 => pickle[..at] + (char)random.Next(256) + pickle[(at + 1)..],
                1 => pickle.Remove(at, Math.Min(random.Next(1, 8), pickle.Length - at)),
                2 => pickle.Insert(at, Pieces[random.Next(Pieces.Length)]),
                3 => pickle.Insert(at, pickle.Substring(Math.Min(at, pickle.Length / 2), random.Next(pickle.Length / 2))),
                _ => pickle[..at] + (char)(pickle[at] ^ (1 << random.Next(8))) + pickle[(at + 1)..],
            };
        }

        return pickle;
    }

    private static byte[] Mutate(byte[] bytes, Random random)
    {
        var damaged = bytes.ToList();
        for (var n = random.Next(1, 5); n > 0; n--)
        {
            var at = random.Next(damaged.Count);
            switch (random.Next(5))
            {
                case 0: damaged[at] = (byte)random.Next(256); break;
                case 1: damaged[at] ^= (byte)(1 << random.Next(8)); break;
                case 2: damaged.RemoveRange(at, Math.Min(random.Next(1, 40), damaged.Count - at)); break;
                case 3: damaged.InsertRange(at, damaged.GetRange(random.Next(damaged.Count / 2), random.Next(40))); break;
                default:
                    for (var i = at; i < Math.Min(at + random.Next(1, 9), damaged.Count); i++) damaged[i] = (byte)(random.Next(2) * 255);
                    break;
            }

            if (damaged.Count == 0) return [0];
        }

        return [.. damaged];
    }
}
