using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace StableTune.Formats.Tests.Numpy;

/// <summary>Builds .npy and .npz bytes by hand, right and wrong ones.</summary>
internal static class RawNpy
{
    /// <summary>An array of this header text and these bytes.</summary>
    public static byte[] Bytes(string header, byte[] data, int version = 1, int? claimedLength = null)
    {
        var text = Encoding.Latin1.GetBytes(header);
        byte[] length = version == 1 ? new byte[2] : new byte[4];
        if (version == 1) BinaryPrimitives.WriteUInt16LittleEndian(length, (ushort)(claimedLength ?? text.Length));
        else BinaryPrimitives.WriteUInt32LittleEndian(length, (uint)(claimedLength ?? text.Length));
        return [0x93, .. "NUMPY"u8, (byte)version, 0, .. length, .. text, .. data];
    }

    public static byte[] Bytes(string descr, string shape, byte[] data, bool columnwise = false, int version = 1) =>
        Bytes($"{{'descr': '{descr}', 'fortran_order': {(columnwise ? "True" : "False")}, 'shape': {shape}, }}\n", data, version);

    /// <summary>An archive of these entries.</summary>
    public static byte[] Zip(CompressionLevel level, params (string Name, byte[] Bytes)[] entries)
    {
        var stream = new MemoryStream();
        using (var zip = new ZipArchive(stream, ZipArchiveMode.Create, leaveOpen: true))
            foreach (var (name, bytes) in entries)
            {
                using var entry = zip.CreateEntry(name, level).Open();
                entry.Write(bytes);
            }

        return stream.ToArray();
    }

    public static string Save(TemporaryFolder folder, string name, byte[] bytes)
    {
        File.WriteAllBytes(folder.File(name), bytes);
        return folder.File(name);
    }
}
