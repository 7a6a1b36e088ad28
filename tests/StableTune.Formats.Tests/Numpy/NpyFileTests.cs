namespace StableTune.Formats.Tests.Numpy;

/// <summary>Single arrays: NumPy's own files, every type, order and version, and what is refused.</summary>
public sealed class NpyFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("a", new long[] { 4, 8, 8 })]
    [InlineData("c", new long[] { 4, 8, 12 })]
    public void Read_NumPysOwnFile_AndWrittenAgainItIsTheSameBytes(string name, long[] shape)
    {
        var path = Fixtures.Path("data", "latents_cache", "sd_trainer_layout", "latents", name + ".npy");
        var array = NpyFile.Read(path);
        Assert.Equal((name, TensorDType.F16), (array.Name, array.DType));
        Assert.Equal(shape, array.Shape);
        Assert.True(double.IsFinite((double)array.As<Half>()[^1]));
        NpyFile.Write(_folder.File("again.npy"), array.ToPayload());
        Assert.Equal(File.ReadAllBytes(path), File.ReadAllBytes(_folder.File("again.npy")));
    }

    [Theory]
    [InlineData("<f2", TensorDType.F16, 2)]
    [InlineData("<f4", TensorDType.F32, 4)]
    [InlineData("<f8", TensorDType.F64, 8)]
    [InlineData("|i1", TensorDType.I8, 1)]
    [InlineData("<i1", TensorDType.I8, 1)]
    [InlineData("<i2", TensorDType.I16, 2)]
    [InlineData("<i4", TensorDType.I32, 4)]
    [InlineData("<i8", TensorDType.I64, 8)]
    [InlineData("|u1", TensorDType.U8, 1)]
    [InlineData("<u2", TensorDType.U16, 2)]
    [InlineData("<u4", TensorDType.U32, 4)]
    [InlineData("<u8", TensorDType.U64, 8)]
    [InlineData("|b1", TensorDType.Bool, 1)]
    public void Read_EveryType_KeepsTheBytes(string descr, TensorDType type, int size)
    {
        byte[] data = [.. Enumerable.Range(0, 6 * size).Select(i => (byte)(descr == "|b1" ? i % 2 : i))];
        var array = Read(RawNpy.Bytes(descr, "(2, 3)", data));
        Assert.Equal(type, array.DType);
        Assert.Equal([2L, 3L], array.Shape);
        Assert.Equal(data, array.Bytes.ToArray());
        NpyFile.Write(_folder.File("again.npy"), array.ToPayload());
        Assert.Equal(data, NpyFile.Read(_folder.File("again.npy")).Bytes.ToArray());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Read_EveryVersionAndNotation_IsUnderstood(int version)
    {
        Assert.Equal([1, 2], Read(RawNpy.Bytes(
            "{\"shape\":(2L,),\"fortran_order\":False,\"descr\":\"|u1\"}", [1, 2], version)).Bytes.ToArray());
        Assert.Equal([7], Read(RawNpy.Bytes("|u1", "()", [7], version: version)).Bytes.ToArray());
        Assert.Empty(Read(RawNpy.Bytes("<f4", "(0, 5)", [], version: version)).Bytes.ToArray());
        Assert.Equal([0L, long.MaxValue / 8], Read(RawNpy.Bytes("<f4", $"(0, {long.MaxValue / 8})", [], version: version)).Shape);
    }

    [Fact]
    public void Read_ColumnsFirst_IsGivenRowByRow()
    {
        // numpy.asfortranarray([[[0, 1], [2, 3], [4, 5]]] + [[[6, 7], [8, 9], [10, 11]]]), uint16
        var columns = new ushort[] { 0, 6, 2, 8, 4, 10, 1, 7, 3, 9, 5, 11 };
        var array = Read(RawNpy.Bytes("<u2", "(2, 3, 2)", [.. columns.SelectMany(BitConverter.GetBytes)], columnwise: true));
        Assert.Equal(Enumerable.Range(0, 12).Select(i => (ushort)i), array.As<ushort>().ToArray());
        Assert.Equal([5, 6, 7], Read(RawNpy.Bytes("|u1", "(3,)", [5, 6, 7], columnwise: true)).Bytes.ToArray());
        Assert.Empty(Read(RawNpy.Bytes("<f8", "(3, 0)", [], columnwise: true)).Bytes.ToArray());
    }

    public static TheoryData<byte[], string> Faults() => new()
    {
        { "abc"u8.ToArray(), "does not begin as NumPy arrays do" },
        { [0x93, .. "NUMPZ"u8, 1, 0, 0, 0], "does not begin" },
        { [0x93, .. "NUMPY"u8, 4, 0, 0, 0, 0, 0], "version 4.0" },
        { [0x93, .. "NUMPY"u8, 1, 1, 0, 0], "version 1.1" },
        { [0x93, .. "NUMPY"u8, 1, 0, 50, 0, 32], "ends within its header" },
        { [0x93, .. "NUMPY"u8, 2, 0, 50], "ends within its header" },
        { [0x93, .. "NUMPY"u8, 2, 0, 255, 255, 255, 255], "its header takes 4294967307 bytes" },
        { RawNpy.Bytes("<f4", "(2,)", new byte[7]), "F32 (2) takes 8 bytes, but 7 follow" },
        { RawNpy.Bytes("<f4", "(2,)", new byte[9]), "takes 8 bytes, but 9 follow" },
        { RawNpy.Bytes("<f4", "(99999999999, 99999999999)", new byte[8]), "overflows" },
        { RawNpy.Bytes("<f4", "(9223372036854775808,)", new byte[8]), "63 bits" },
        { RawNpy.Bytes("<f4", "(-1,)", new byte[8]), "'-'" },
        { RawNpy.Bytes("<f4", "(2)", new byte[8]), "',' was expected" },
        { RawNpy.Bytes("<f4", "2", new byte[8]), "'(' was expected" },
        { RawNpy.Bytes("<f4", $"({string.Join(", ", Enumerable.Repeat(1, 65))})", new byte[4]), "more than 64 dimensions" },
        { RawNpy.Bytes("|O", "(2,)", new byte[8]), "Python objects" },
        { RawNpy.Bytes(">f4", "(2,)", new byte[8]), "big-endian" },
        { RawNpy.Bytes("<U5", "(2,)", new byte[40]), "element type '<U5' is not known" },
        { RawNpy.Bytes("<c8", "(2,)", new byte[16]), "'<c8' is not known" },
        { RawNpy.Bytes("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", new byte[4]), "several fields" },
        { RawNpy.Bytes("{'descr': [('a', '|O')], 'fortran_order': False, 'shape': (1,), }", new byte[4]), "Python objects" },
        { RawNpy.Bytes("{'descr': '<f4', 'shape': (1,), }", new byte[4]), "no entry 'fortran_order'" },
        { RawNpy.Bytes("{'descr': '<f4', 'fortran_order': False}", new byte[4]), "no entry 'shape'" },
        { RawNpy.Bytes("{'fortran_order': False, 'shape': (1,)}", new byte[4]), "no entry 'descr'" },
        { RawNpy.Bytes("{'descr': '<f4', 'fortran_order': 1, 'shape': (1,), }", new byte[4]), "True or False" },
        { RawNpy.Bytes("{'descr': '<f4', 'descr': '<f4', 'fortran_order': True, 'shape': (1,), }", new byte[4]), "repeated entry 'descr'" },
        { RawNpy.Bytes("{'descr': '<f4', 'fortran_order': True, 'shape': (1,), 'more': 'x'}", new byte[4]), "entry 'more'" },
        { RawNpy.Bytes("{'descr': '<f4', 'fortran_order': True, 'shape': (1,)} x", new byte[4]), "'x' at" },
        { RawNpy.Bytes("{'descr': '<f4', 'fortran_order': True, 'shape': (1,)", new byte[4]), "its end at" },
        { RawNpy.Bytes("__import__('os').system('x')", new byte[4]), "'_' at 0, where '{'" },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public void Read_Faults_AreToldWithARemedy(byte[] bytes, string expected)
    {
        var fault = Assert.Throws<InvalidFileException>(() => Read(bytes));
        Assert.Contains(expected, fault.Message);
        Assert.StartsWith(_folder.File("x.npy") + ": the NumPy array is not valid: ", fault.Message);
        Assert.NotEmpty(fault.Remedy);
    }

    [Fact]
    public void Write_HeadersOfEverySize_AreAligned()
    {
        foreach (var shape in new long[][] { [], [0], [7], [1, 2, 3], [1234567, 0], [.. Enumerable.Repeat(1L, 64)] })
        {
            var path = _folder.File("x.npy");
            NpyFile.Write(path, new TensorPayload("x", TensorDType.U8, shape, stream =>
                stream.Write(new byte[shape.Aggregate(1L, (a, b) => a * b)])));
            var bytes = File.ReadAllBytes(path);
            Assert.Equal(0, (10 + bytes[8] + 256 * bytes[9]) % 64);
            Assert.Equal((byte)'\n', bytes[10 + bytes[8] + 256 * bytes[9] - 1]);
            Assert.Equal(shape, NpyFile.Read(path).Shape);
        }
    }

    [Fact]
    public void Write_WhatNumPyHasNotOrWhatIsWrong_IsRefusedAndNothingIsLeft()
    {
        var path = _folder.File("x.npy");
        Assert.Contains("BF16", Assert.Throws<ArgumentException>(() =>
            NpyFile.Write(path, new TensorPayload("x", TensorDType.BF16, [1], _ => { }))).Message);
        Assert.Throws<ArgumentException>(() => NpyFile.Write(path, new TensorPayload("x", TensorDType.U8, [-1], _ => { })));
        Assert.Throws<InvalidOperationException>(() =>
            NpyFile.Write(path, new TensorPayload("x", TensorDType.U8, [3], stream => stream.Write([1, 2]))));
        Assert.Throws<InvalidOperationException>(() =>
            NpyFile.Write(path, new TensorPayload("x", TensorDType.U8, [3], stream => stream.Write([1, 2, 3, 4]))));
        Assert.Empty(Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public void Array_OfValues_GivesThemBackInTheirTypeOnly()
    {
        var array = NpyArray.Of<long>("original_size", [96, 64], 2);
        Assert.Equal([96L, 64L], array.As<long>().ToArray());
        Assert.Equal("original_size: I64 [2]", array.ToString());
        Assert.Contains("holds I64, not F32", Assert.Throws<InvalidOperationException>(() => array.As<float>().ToArray()).Message);
        Assert.Throws<ArgumentException>(() => NpyArray.Of<float>("x", [1, 2, 3], 2));
        Assert.Throws<ArgumentException>(() => NpyArray.Of<decimal>("x", [1], 1));
        Assert.Equal([true, false], NpyArray.Of<bool>("m", [true, false], 2).As<bool>().ToArray());
    }

    private NpyArray Read(byte[] bytes) => NpyFile.Read(RawNpy.Save(_folder, "x.npy", bytes));
}
