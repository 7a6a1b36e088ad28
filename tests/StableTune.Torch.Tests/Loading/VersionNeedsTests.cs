using System.Buffers.Binary;
using StableTune.Testing;
using StableTune.Torch.Loading;

namespace StableTune.Torch.Tests.Loading;

public sealed class VersionNeedsTests
{
    private const string Version = LibStdCxx.Dispensable;
    private static readonly byte[] _library = File.ReadAllBytes(Libraries.TorchSharp);

    [Fact]
    public void Weaken_TorchSharpsLibrary_ChangesOneBit()
    {
        var weak = VersionNeeds.Weaken(_library, Version);
        Assert.Equal(_library.Length, weak.Length);
        var changed = Assert.Single(Enumerable.Range(0, weak.Length), at => weak[at] != _library[at]);
        Assert.Equal(2, weak[changed] ^ _library[changed]);
        Assert.True(VersionNeeds.Wants(_library, Version));
        Assert.False(VersionNeeds.Wants(weak, Version));
        Assert.Equal(weak, VersionNeeds.Weaken(weak, Version));
    }

    [Fact]
    public void Wants_OtherVersions_AreTold()
    {
        Assert.True(VersionNeeds.Wants(_library, "GLIBCXX_3.4.21"));
        Assert.False(VersionNeeds.Wants(_library, "GLIBCXX_3.4.33"));
        Assert.False(VersionNeeds.Wants(_library, "GLIBCXX_3.4.3"));
    }

    [Fact]
    public void Weaken_AVersionThatIsNotWanted_IsRefused()
        => Assert.Contains("GLIBCXX_3.4.99", Refusal(_library, "GLIBCXX_3.4.99"));

    [Fact]
    public void Weaken_FilesOfOtherKinds_AreRefused()
    {
        var assembly = File.ReadAllBytes(typeof(ElfFile).Assembly.Location);
        foreach (var file in new[] { [], "MZ"u8.ToArray(), "\u007fELF"u8.ToArray(), new byte[4096], assembly }) _ = Refusal(file);
        Assert.Contains("64-bit little-endian", Refusal(With(4, 1)));
        Assert.Contains("64-bit little-endian", Refusal(With(5, 2)));
    }

    [Fact]
    public void Weaken_TruncatedFiles_AreRefusedOrStillRight()
    {
        // The version needs end before 0x3fb00, the dynamic table begins at 0x1d4b18: nothing shorter can be right.
        var random = new Random(1);
        for (var run = 0; run < Exhaustive.Runs(3000, 200_000); run++)
        {
            var length = run < 1000 ? run : random.Next(_library.Length);
            if (length < 0x1d4b18) Assert.Throws<InvalidDataException>(() => VersionNeeds.Wants(_library.AsSpan(0, length), Version));
            else _ = Record(() => VersionNeeds.Wants(_library.AsSpan(0, length), Version));
        }
    }

    [Fact]
    public void Wants_CorruptFiles_AreRefusedOrAnswered()
    {
        var random = new Random(2);
        var copy = _library.ToArray();
        // The ELF header with the program headers, the version needs, the dynamic table.
        (int Start, int Length)[] places = [(0, 64 + 10 * 56), (0x3f8f0, 0x210), (0x1d4b18, 0x270)];
        for (var run = 0; run < Exhaustive.Runs(20_000, 2_000_000); run++)
        {
            var (start, length) = places[random.Next(places.Length)];
            var changed = Enumerable.Range(0, random.Next(1, 9)).Select(_ => start + random.Next(length)).ToArray();
            foreach (var at in changed) copy[at] = random.Next(3) switch { 0 => 0xff, 1 => 0, _ => (byte)random.Next(256) };
            _ = Record(() => VersionNeeds.Wants(copy, Version));
            foreach (var at in changed) copy[at] = _library[at];
        }
        Assert.True(VersionNeeds.Wants(copy, Version));
    }

    [Fact]
    public void Wants_EndlessLists_AreRefusedAtOnce()
    {
        // 65,535 entries that all lie one byte after the other, and as many lists as 64 bits can count.
        var copy = _library.ToArray();
        copy.AsSpan(0x3f8f0, 0x210).Fill(1);
        var count = IndexOfDynamic(copy, 0x6fffffff) + 8;
        BinaryPrimitives.WriteUInt64LittleEndian(copy.AsSpan(count), ulong.MaxValue);
        Assert.Throws<InvalidDataException>(() => VersionNeeds.Wants(copy, Version));
    }

    private static string Refusal(byte[] library, string version = Version)
        => Assert.Throws<InvalidDataException>(() => VersionNeeds.Weaken(library, version)).Message;

    /// <summary>Runs it; nothing but a refusal may be thrown.</summary>
    private static bool Record(Func<bool> wants)
    {
        try
        {
            return wants();
        }
        catch (InvalidDataException)
        {
            return false;
        }
    }

    private static byte[] With(int at, byte value)
    {
        var copy = _library.ToArray();
        copy[at] = value;
        return copy;
    }

    private static int IndexOfDynamic(byte[] library, ulong tag)
        => Enumerable.Range(0, 0x270 / 16).Select(entry => 0x1d4b18 + entry * 16)
            .Single(at => BinaryPrimitives.ReadUInt64LittleEndian(library.AsSpan(at)) == tag);
}
