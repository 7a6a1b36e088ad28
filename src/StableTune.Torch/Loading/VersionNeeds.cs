using System.Buffers.Binary;
using System.Text;

namespace StableTune.Torch.Loading;

/// <summary>The versions of symbols that a Linux library wants of other libraries.</summary>
/// <remarks>
/// The loader refuses a library when a wanted version does not exist, even if no symbol of that version is ever used, unless the entry
/// carries the weak flag. See "Symbol Versioning" in the Linux Standard Base, LSB 5.0 core, section 10.7.
/// </remarks>
internal static class VersionNeeds
{
    private const ulong StringTable = 5, VersionNeed = 0x6ffffffe, VersionNeedCount = 0x6fffffff;
    private const ushort WeakFlag = 2;
    private const int MostEntries = 4096;

    /// <summary>A copy of a library in which the entry of one wanted version is weak; all other bytes are the same.</summary>
    /// <exception cref="InvalidDataException">The library is not as expected, or does not want that version.</exception>
    internal static byte[] Weaken(ReadOnlySpan<byte> library, string version)
    {
        var flags = FlagsOf(library, Encoding.ASCII.GetBytes(version));
        if (flags.Count == 0) throw ElfFile.Unexpected($"it does not ask for the version {version}");
        var copy = library.ToArray();
        foreach (var at in flags) copy[at] |= (byte)WeakFlag;
        return copy;
    }

    /// <summary>Whether a library wants a version without which it is refused.</summary>
    /// <exception cref="InvalidDataException">The library is not as expected.</exception>
    internal static bool Wants(ReadOnlySpan<byte> library, string version)
    {
        foreach (var at in FlagsOf(library, Encoding.ASCII.GetBytes(version)))
        {
            if ((BinaryPrimitives.ReadUInt16LittleEndian(library[at..]) & WeakFlag) == 0) return true;
        }
        return false;
    }

    /// <summary>Where the flags of the entries with this version's name lie.</summary>
    private static List<int> FlagsOf(ReadOnlySpan<byte> library, ReadOnlySpan<byte> version)
    {
        var file = new ElfFile(library);
        var found = new List<int>();
        if (file.Dynamic(VersionNeed) is not { } needs) return found;
        var names = file.OffsetOf(file.Dynamic(StringTable) ?? throw ElfFile.Unexpected("it has no names"));
        var (need, entries) = (file.OffsetOf(needs), 0);
        for (ulong left = file.Dynamic(VersionNeedCount) ?? 0; left > 0; left--)
        {
            var entry = ElfFile.Sum(need, file.U32(need + 8));
            for (int inner = file.U16(need + 2); inner > 0; inner--)
            {
                if (++entries > MostEntries) throw ElfFile.Unexpected("it asks for too many versions");
                if (file.Text(ElfFile.Sum(names, file.U32(entry + 8))).SequenceEqual(version)) found.Add((int)entry + 4);
                if (file.U32(entry + 12) is var next && next == 0) break;
                entry = ElfFile.Sum(entry, next);
            }
            if (file.U32(need + 12) is var following && following == 0) break;
            if (++entries > MostEntries) throw ElfFile.Unexpected("it asks for too many versions");
            need = ElfFile.Sum(need, following);
        }
        return found;
    }
}
