using System.IO.Compression;

namespace StableTune.Formats.Tests.Numpy;

/// <summary>Thousands of damaged archives: each is refused with the one exception, or every array can be read in bounds.</summary>
public sealed class NpzFuzzTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private int _refused, _accepted;

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(1, CompressionLevel.NoCompression)]
    [InlineData(2, CompressionLevel.SmallestSize)]
    public void Open_DamagedArchives_AreRefusedOrReadInBounds(int seed, CompressionLevel level)
    {
        var random = new Random(seed);
        var good = RawNpy.Zip(level, ("latents.npy", RawNpy.Bytes("<f4", "(4, 3)", new byte[48])),
            ("flags.npy", RawNpy.Bytes("|b1", "()", [1])),
            ("f.npy", RawNpy.Bytes("<i8", "(2, 2)", new byte[32], columnwise: true, version: 2)));
        var runs = Exhaustive.Runs(2000, 50_000);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < runs; i++) Try(Damage(good, random));
        Assert.InRange(_refused, runs / 3, runs);
        Assert.InRange(_accepted, 1, runs);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, runs * 300_000L);
    }

    [Fact]
    public void Read_DamagedArrays_AreRefusedOrRead()
    {
        var random = new Random(3);
        var good = RawNpy.Bytes("<f4", "(4, 3)", new byte[48]);
        for (var i = 0; i < Exhaustive.Runs(2000, 50_000); i++)
        {
            try
            {
                var array = NpyFile.Read(RawNpy.Save(_folder, "x.npy", Damage(good, random)));
                Assert.Equal(array.Bytes.Length, array.DType.Size() * array.Shape.Aggregate(1L, (a, b) => a * b));
                _accepted++;
            }
            catch (InvalidFileException)
            {
                _refused++;
            }
        }

        Assert.InRange(_refused, 700, int.MaxValue);
        Assert.InRange(_accepted, 1, int.MaxValue);
    }

    private void Try(byte[] bytes)
    {
        try
        {
            using var file = NpzFile.Open(RawNpy.Save(_folder, "x.npz", bytes));
            foreach (var tensor in file.Tensors) Assert.Equal(tensor.ByteCount, file.ReadArray(tensor.Name).Bytes.Length);
            _accepted++;
        }
        catch (InvalidFileException)
        {
            _refused++;
        }
    }

    private static byte[] Damage(byte[] good, Random random)
    {
        var bytes = good.ToList();
        for (var n = random.Next(1, 4); n > 0; n--)
        {
            var at = random.Next(bytes.Count);
            switch (random.Next(6))
            {
                case 0 or 1: bytes[at] = (byte)random.Next(256); break;
                case 2: bytes[at] = random.Next(2) == 0 ? (byte)0xFF : (byte)0; break;
                case 3: bytes.RemoveRange(at, Math.Min(random.Next(1, 9), bytes.Count - at)); break;
                case 4: bytes.InsertRange(at, bytes.GetRange(at, Math.Min(random.Next(1, 20), bytes.Count - at))); break;
                default: if (random.Next(4) == 0) bytes.RemoveRange(at, bytes.Count - at); break;
            }

            if (bytes.Count == 0) bytes.Add(0);
        }

        return [.. bytes];
    }
}
