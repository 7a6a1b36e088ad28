using StableTune.Formats;

namespace StableTune.Tensors.Tests;

public sealed class WeightFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private WeightFile Write(params TensorPayload[] tensors)
    {
        var path = _folder.File("test.safetensors");
        SafetensorsWriter.Write(path, tensors);
        return WeightFile.Open(path);
    }

    private static TensorPayload Payload(string name, TensorDType type, long[] shape, params byte[] bytes) =>
        new(name, type, shape, s => s.Write(bytes));

    public static TheoryData<TensorDType, byte[], ScalarType, double> OneOfEach() => new()
    {
        { TensorDType.F64, BitConverter.GetBytes(-1.25), ScalarType.Float64, -1.25 },
        { TensorDType.F32, BitConverter.GetBytes(-1.25f), ScalarType.Float32, -1.25 },
        { TensorDType.F16, BitConverter.GetBytes((Half)(-1.25)), ScalarType.Float16, -1.25 },
        { TensorDType.BF16, [0xA0, 0xBF], ScalarType.BFloat16, -1.25 },
        { TensorDType.I64, BitConverter.GetBytes(-5L), ScalarType.Int64, -5 },
        { TensorDType.I32, BitConverter.GetBytes(-5), ScalarType.Int32, -5 },
        { TensorDType.I16, BitConverter.GetBytes((short)-5), ScalarType.Int16, -5 },
        { TensorDType.I8, [0xFB], ScalarType.Int8, -5 },
        { TensorDType.U8, [0xFB], ScalarType.Byte, 251 },
        { TensorDType.Bool, [1], ScalarType.Bool, 1 },
        { TensorDType.F8E4M3, [0b1_0111_010], ScalarType.Float16, -1.25 },
        { TensorDType.F8E5M2, [0b1_01111_01], ScalarType.Float16, -1.25 },
        { TensorDType.U16, [0xFE, 0xFF], ScalarType.Int32, 65534 },
        { TensorDType.U32, [0xFE, 0xFF, 0xFF, 0xFF], ScalarType.Int64, 4294967294 },
        { TensorDType.U64, BitConverter.GetBytes(1UL << 40), ScalarType.Int64, 1099511627776 },
    };

    [Theory]
    [MemberData(nameof(OneOfEach))]
    public void Load_EveryStoredType_GivesItsValue(TensorDType stored, byte[] bytes, ScalarType expected, double value)
    {
        using var scope = NewDisposeScope();
        using var file = Write(Payload("a", stored, [1, 1], bytes));
        var tensor = file.Load("a");
        Assert.Equal(expected, tensor.dtype);
        Assert.Equal([1L, 1L], tensor.shape);
        Assert.False(tensor.requires_grad);
        Assert.Equal(value, tensor.to(ScalarType.Float64).item<double>());
        Assert.Equal((float)value, file.Load("a", ScalarType.Float32).item<float>());
    }

    [Fact]
    public void Load_UnsignedNumberBeyondSignedOnes_IsAnError()
    {
        using var file = Write(Payload("a", TensorDType.U64, [1], BitConverter.GetBytes(1UL << 63)));
        Assert.Contains("'a'", Assert.Throws<InvalidFileException>(() => file.Load("a")).Message);
    }

    [Fact]
    public void LoadAll_AsIntegers_ConvertsTheNumbersAndNotTheirBits()
    {
        using var scope = NewDisposeScope();
        using var file = Write(
            Payload("d", TensorDType.F64, [1], BitConverter.GetBytes(-3.75)),
                Payload("f", TensorDType.F32, [1], BitConverter.GetBytes(7.5f)),
            Payload("h", TensorDType.F16, [1], BitConverter.GetBytes((Half)2.5)), Payload("u", TensorDType.U8, [1], 9));
        var all = file.LoadAll(ScalarType.Int64);
        Assert.Equal((-3L, 7L, 2L), (all["d"].item<long>(), all["f"].item<long>(), all["h"].item<long>()));
        Assert.Equal(ScalarType.Byte, all["u"].dtype);
        Assert.All(all.Values.Take(3), tensor => Assert.Equal(ScalarType.Int64, tensor.dtype));
        Assert.All(all.Values.ToList(), tensor => tensor.Dispose());
    }

    [Fact]
    public void LoadAll_LargeTensors_ConvertsEachElementOnceAndInPlace()
    {
        using var scope = NewDisposeScope();
        // More than one piece and one buffer for each, with odd sizes.
        var numbers = randn([3, 1234567], generator: new Generator(1));
        var path = _folder.File("large.safetensors");
        StateDictWriter.Save(path, [("f", numbers), ("h", numbers.to(ScalarType.Float16)), ("b", numbers.to(ScalarType.BFloat16)),
            ("i", arange(5))]);
        using var file = WeightFile.Open(path);
        foreach (var type in new[] { ScalarType.Float32, ScalarType.Float16, ScalarType.BFloat16, ScalarType.Float64 })
        {
            var all = file.LoadAll(type);
            Assert.Equal(["i", "f", "b", "h"], all.Keys);
            Assert.True(all["f"].Equals(numbers.to(type)));
            Assert.True(all["h"].Equals(numbers.to(ScalarType.Float16).to(type)));
            Assert.True(all["b"].Equals(numbers.to(ScalarType.BFloat16).to(type)));
            Assert.True(all["i"].Equals(arange(5)));
            foreach (var tensor in all.Values) tensor.Dispose();
        }
    }

    /// <summary>Every half, every brain float, and hard float32 cases: subnormals, ties, overflow, infinities, NaN.</summary>
    [Fact]
    public void Load_EverySixteenBitFloat_ConvertsAsTheEngineDoes()
    {
        using var scope = NewDisposeScope();
        var codes = Enumerable.Range(0, 65536).SelectMany(i => BitConverter.GetBytes((ushort)i)).ToArray();
        uint[] hard = [0, 0x80000000, 1, 0x33000000, 0x33000001, 0x387FC000, 0x3F808000, 0x3F818000, 0x3F808001, 0x477FEFFF, 0x477FF000,
            0x7F7FFFFF, 0x7F800000, 0xFF800000, 0x7FC00000, 0x7F800001, 0xFFFFFFFF];
        var floats = Enumerable.Range(0, 200)
            .SelectMany(i => BitConverter.GetBytes(hard[i % hard.Length] + (i < 17 ? 0u : (uint)i * 65537))).ToArray();
        using var file = Write(Payload("h", TensorDType.F16, [65536], codes), Payload("b", TensorDType.BF16, [65536], codes),
            Payload("f", TensorDType.F32, [200], floats));
        foreach (var name in file.Names)
        foreach (var type in new[] { ScalarType.Float32, ScalarType.Float16, ScalarType.BFloat16, ScalarType.Float64 })
            GoldenComparison.AssertClose($"{name} as {type}", file.Load(name).to(type), file.Load(name, type), 0);
    }

    [Fact]
    public void Load_EightBitFloats_FollowTheTables()
    {
        using var scope = NewDisposeScope();
        byte[] codes = [0x00, 0x80, 0x01, 0x08, 0x38, 0x7E, 0x7F, 0xFF];
        using var file = Write(Payload("e4m3", TensorDType.F8E4M3, [8], codes),
            Payload("e5m2", TensorDType.F8E5M2, [6], [0x01, 0x04, 0x3C, 0x7B, 0x7C, 0x7E]));
        Assert.Equal([0f, -0f, 1 / 512f, 1 / 64f, 1f, 448f, float.NaN, float.NaN],
            file.Load("e4m3", ScalarType.Float32).data<float>().ToArray());
        Assert.Equal([1 / 65536f, 1 / 16384f, 1f, 57344f, float.PositiveInfinity, float.NaN],
            file.Load("e5m2", ScalarType.Float32).data<float>().ToArray());
    }

    [Fact]
    public void Load_EmptyTensorsAndScalars_KeepTheirShapes()
    {
        using var scope = NewDisposeScope();
        using var file = Write(Payload("none", TensorDType.F16, [3, 0]),
            Payload("scalar", TensorDType.F32, [], BitConverter.GetBytes(2.5f)));
        Assert.Equal([3L, 0L], file.Load("none").shape);
        Assert.Equal([3L, 0L], file.Load("none", ScalarType.Float32).shape);
        Assert.Empty(file.Load("scalar").shape);
        Assert.Equal(2.5f, file.Load("scalar").item<float>());
    }

    [Fact]
    public void Load_UnknownName_IsToldByTheFile()
    {
        using var file = Write(Payload("a", TensorDType.U8, [1], 1));
        Assert.Contains("'b'", Assert.Throws<InvalidFileException>(() => file.Load("b")).Message);
        Assert.True(file.Contains("a"));
        Assert.False(file.Contains("b"));
    }

    [Fact]
    public void Load_LeavesNoTensorBehind()
    {
        using var file = Write(Payload("a", TensorDType.F16, [2], 0, 0, 0, 0));
        var before = HeldTensors.Before();
        using (var a = file.Load("a")) Assert.Equal(before + 1, TensorCount.Live);
        using (var b = file.Load("a", ScalarType.Int32)) Assert.Equal(before + 1, TensorCount.Live);
        Assert.Equal(before, TensorCount.Live);
    }
}
