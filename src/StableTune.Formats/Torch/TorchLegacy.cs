using System.Buffers.Binary;
using System.Numerics;
using Microsoft.Win32.SafeHandles;

namespace StableTune.Formats;

/// <summary>Torch files of before torch 1.6: five pickles one after another, then the storages.</summary>
internal static class TorchLegacy
{
    /// <summary>The magic number as LONG1, behind the protocol's number.</summary>
    public static ReadOnlySpan<byte> Magic => [0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19];

    private const int Protocol = 1001;

    /// <summary>Reads the pickles and finds the storages.</summary>
    public static PickleValue Read(SafeFileHandle file, string path, List<TensorStorage> storages)
    {
        var length = RandomAccess.GetLength(file);
        var position = 0L;
        var magic = Next();
        if (magic is not PickleInteger number || number.Value != new BigInteger(Magic[2..]))
            throw new InvalidFileException(path,
                $"it is a Python pickle, but not one of torch.save: its first value is {magic} instead of torch's magic number.",
                $"Save it with torch.save. {TorchFaults.Convert}");
        var protocol = Next();
        if (protocol is not PickleInteger version || version.Value != Protocol)
            throw new InvalidFileException(path, $"its format has the protocol version {protocol}, and {Protocol} is known.",
                "Save it again with torch.save of a current release.");
        CheckSystem(Next(), path);
        var root = Next();
        position = Locate(Next(), storages, file, path, position, length);
        return root;

        PickleValue Next()
        {
            var source = new PickleSource(file, path, position, length, null);
            var value = new PickleMachine(source, (machine, id) =>
            {
                var storage = TorchTensors.Storage(machine, id, withView: true);
                storages.Add(storage);
                return storage;
            }).Run();
            position = source.Position;
            return value;
        }
    }

    private static void CheckSystem(PickleValue system, string path)
    {
        if (system is not PickleDictionary facts) throw Fault(path, $"its third value is {system} instead of the facts of a system");
        if (facts.TryGet("little_endian", out var little) && little is PickleBoolean { Value: false })
            throw new InvalidFileException(path, "its numbers are stored with the most significant byte first.",
                "Save the file again on a little-endian machine.");
    }

    /// <summary>Behind the pickles the storages follow in the order of the list: a 64-bit number of elements, and the elements.</summary>
    private static long Locate(PickleValue keys, List<TensorStorage> storages, SafeFileHandle file, string path, long position, long length)
    {
        if (keys is not PickleSequence { Kind: PickleSequenceKind.List } list)
            throw Fault(path, $"its fifth value is {keys} instead of the list of storages");
        var byKey = storages.GroupBy(storage => storage.Key, StringComparer.Ordinal)
            .ToDictionary(group => group.Key, group => group.ToList(), StringComparer.Ordinal);
        Span<byte> number = stackalloc byte[8];
        foreach (var key in list)
        {
            if (key is not PickleText text || !byKey.Remove(text.Value, out var users))
                throw Fault(path, $"storage {key} is listed twice, or no tensor lies in it");
            var (count, size) = (users[0].Count, users[0].Type.Size());
            if (users.Exists(user => user.Count != count || user.Type.Size() != size))
                throw Fault(path, $"storage {key} is described in two ways");
            if (position > length - 8) throw Missing(path, text, position, length);
            FileBytes.Read(file, number, position, path);
            position += 8;
            if (BinaryPrimitives.ReadInt64LittleEndian(number) is var stored && stored != count)
                throw Fault(path, $"storage {key} should have {count} elements, but {stored} are announced at byte {position - 8}");
            if (count > (length - position) / size) throw Missing(path, text, position, length);
            foreach (var user in users) user.Stored = StoredBytes.At(position + user.ViewOffset, user.ByteCount);
            position += count * size;
        }

        return byKey.Count == 0 ? position
            : throw Fault(path, $"storage '{PickleNames.Plain(byKey.Keys.First())}' is not in the list of storages");
    }

    private static InvalidFileException Missing(string path, PickleText key, long position, long length) => new(path,
        $"the file is truncated: storage {key} at byte {position} does not fit into its {length} bytes.", TorchFaults.Damaged);

    private static InvalidFileException Fault(string path, string what) =>
        new(path, $"the torch file is damaged: {what}.", TorchFaults.Damaged);
}
