using System.Globalization;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace StableTune.Formats;

/// <summary>Torch files of today (torch 1.6 and later): a zip archive with the pickle and one entry per storage.</summary>
internal static class TorchZip
{
    private const int NewestVersion = 10;

    /// <summary>Reads the pickle and finds the storages.</summary>
    public static PickleValue Read(SafeFileHandle file, string path, List<TensorStorage> storages)
    {
        var zip = ZipDirectory.Read(file, path);
        var pickle = FindPickle(zip, path);
        var folder = pickle.Name[..^"data.pkl".Length];
        CheckVersion(zip, folder, file, path);
        var start = DataOffset(zip, pickle, path);
        var source = new PickleSource(file, path, start, start + pickle.Length, "data.pkl");
        var root = new PickleMachine(source, (machine, id) =>
        {
            var storage = TorchTensors.Storage(machine, id, withView: false);
            storages.Add(storage);
            return storage;
        }).Run();
        var offsets = new Dictionary<string, StoredBytes>(StringComparer.Ordinal);
        foreach (var storage in storages) storage.Stored = Find(zip, folder, storage, offsets, path);
        return root;
    }

    private static StoredBytes Find(
        ZipDirectory zip, string folder, TensorStorage storage, Dictionary<string, StoredBytes> known, string path)
    {
        if (!known.TryGetValue(storage.Key, out var stored))
        {
            if (!zip.TryGet($"{folder}data/{storage.Key}", out var entry))
                throw new InvalidFileException(path,
                    $"storage '{PickleNames.Plain(storage.Key)}' of {storage.ByteCount} bytes is missing from the archive.",
                        TorchFaults.Damaged);
            known.Add(storage.Key, stored = StoredBytes.At(DataOffset(zip, entry, path), entry.Length));
        }

        return stored.Length >= storage.ByteCount ? stored : throw new InvalidFileException(path,
            $"storage '{PickleNames.Plain(storage.Key)}' has {stored.Length} bytes, but its tensors need {storage.ByteCount}.",
                TorchFaults.Damaged);
    }

    private static ZipEntry FindPickle(ZipDirectory zip, string path)
    {
        foreach (var entry in zip.Entries)
        {
            if (!entry.Name.EndsWith("/data.pkl", StringComparison.Ordinal)) continue;
            var folder = entry.Name[..^"data.pkl".Length];
            if (folder.IndexOf('/', StringComparison.Ordinal) != folder.Length - 1) continue;
            if (zip.TryGet($"{folder}constants.pkl", out _)
                || zip.Entries.Exists(e => e.Name.StartsWith($"{folder}code/", StringComparison.Ordinal)))
                throw new InvalidFileException(path, "this is a TorchScript archive: a program with its weights.",
                    $"Load it in Python and save its state_dict. {TorchFaults.Convert}");
            return entry;
        }

        var held = string.Join(", ", zip.Entries.Take(3).Select(e => PickleNames.Quote(e.Name)));
        throw new InvalidFileException(
            path, $"this zip archive is no torch file: it has no folder with data.pkl, but {(held.Length == 0 ? "nothing" : held)}.",
            zip.Entries.Exists(e => e.Name.EndsWith(".npy", StringComparison.Ordinal))
                ? "It is an archive of NumPy arrays (.npz): name a weights file."
                : "If it is a packed model, unpack it and name the folder or the file in it.");
    }

    private static void CheckVersion(ZipDirectory zip, string folder, SafeFileHandle file, string path)
    {
        if (zip.TryGet($"{folder}byteorder", out var order) && ReadText(zip, order, file, path) is var text && text != "little")
            throw new InvalidFileException(
                path, $"its numbers are stored with byte order '{PickleNames.Plain(text)}', and only 'little' is read.",
                "Save the file again on a little-endian machine.");
        if (!zip.TryGet($"{folder}version", out var version)) return;
        var number = ReadText(zip, version, file, path);
        if (!int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var parsed) || parsed is < 1 or > NewestVersion)
            throw new InvalidFileException(
                path, $"its format has version '{PickleNames.Plain(number)}', and 1 to {NewestVersion} are known.",
                "Save it again with torch.save of a current release, or as .safetensors.");
    }

    /// <summary>Where the bytes of an entry lie in the file.</summary>
    private static long DataOffset(ZipDirectory zip, in ZipEntry entry, string path) => entry.Method == 0 ? zip.DataOffset(entry)
        : throw new InvalidFileException(path,
            $"entry {PickleNames.Quote(entry.Name)} of the archive is compressed (method {entry.Method}), and torch stores all entries "
                + $"as they are.",
            "The archive was packed again by another program: unpack it and pack it without compression (zip -0 -r).");

    /// <summary>A small entry as a text.</summary>
    private static string ReadText(ZipDirectory zip, in ZipEntry entry, SafeFileHandle file, string path)
    {
        const int limit = 16;
        if (entry.Length > limit)
            throw new InvalidFileException(path,
                $"entry {PickleNames.Quote(entry.Name)} of the archive has {entry.Length} bytes, and at most {limit} are expected.",
                    TorchFaults.Damaged);
        var bytes = new byte[(int)entry.Length];
        FileBytes.Read(file, bytes, DataOffset(zip, entry, path), path);
        return Encoding.Latin1.GetString(bytes).Trim();
    }
}
