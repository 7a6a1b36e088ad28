namespace StableTune.Formats;

/// <summary>Guesses what a file is from its first bytes, so that a message can say more than "not a safetensors file".</summary>
internal static class FileKind
{
    /// <summary>The number of first bytes that the guess needs.</summary>
    public const int BytesNeeded = 64;

    private const string TorchRemedy = "Open it as a torch file (TensorFile.Open tells formats by themselves), or name a .safetensors "
        + "file.";

    private static readonly (byte[] Start, string Description, string Remedy)[] Known =
    [
        ([0x50, 0x4B, 0x03, 0x04], "it is a zip archive, as torch checkpoints (.ckpt, .pt, .bin) are", TorchRemedy),
        ("version https://git-lfs"u8.ToArray(), "it is a Git LFS pointer: a few lines of text that stand in for the real file",
            "Fetch the real file with 'git lfs pull', or download it from the repository's page."),
        ([0x1F, 0x8B], "it is gzip-compressed", "Decompress it first."),
        ([0xFD, 0x37, 0x7A, 0x58, 0x5A], "it is xz-compressed", "Decompress it first."),
        ([0x37, 0x7A, 0xBC, 0xAF], "it is a 7z archive", "Unpack it first."),
        ("GGUF"u8.ToArray(), "it is a GGUF file", "Use the original safetensors file of the model."),
        ([0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59], "it is a NumPy array (.npy)", "Name a .safetensors file."),
        ([0x89, 0x50, 0x4E, 0x47], "it is a PNG image", "Name a .safetensors file."),
        ([0xFF, 0xD8, 0xFF], "it is a JPEG image", "Name a .safetensors file."),
        ([0x89, 0x48, 0x44, 0x46], "it is an HDF5 file", "Use the original safetensors file of the model."),
    ];

    private const string DownloadAgain = "A download probably failed or needed a login: download the file again.";

    /// <summary>Whether a file that begins so can be a safetensors file: behind the length of the header stands its '{'.</summary>
    public static bool IsSafetensors(ReadOnlySpan<byte> start) => start.Length > 8 && start[8] == (byte)'{';

    /// <summary>Whether all is printable; the header's length, which has zeros among its eight bytes, never is.</summary>
    private static bool IsText(ReadOnlySpan<byte> start)
    {
        foreach (var letter in start)
            if (letter is not ((>= 0x20 and not 0x7F) or (byte)'\t' or (byte)'\r' or (byte)'\n')) return false;
        return start.Length > 8;
    }

    /// <summary>What the bytes look like and what to do about it, or null when they look like nothing known.</summary>
    public static (string Description, string Remedy)? Recognize(ReadOnlySpan<byte> start)
    {
        foreach (var (bytes, description, remedy) in Known)
            if (start.StartsWith(bytes)) return (description, remedy);

        // Protocol 2 to 5, then an opcode that opens an object; a header length that begins so would be a coincidence,
        // which the caller excludes by looking for the '{' first.
        if (start.Length > 2 && start[0] == 0x80 && start[1] is >= 2 and <= 5)
            return ("it is a Python pickle, as old torch checkpoints (.ckpt, .pt, .bin) are", TorchRemedy);

        var text = start.TrimStart("\uFEFF \t\r\n"u8);
        if (text.Length > 0 && text[0] == '<') return ("it is a web page (HTML or XML)", DownloadAgain);
        if (text.Length > 0 && text[0] is (byte)'{' or (byte)'[')
            return ("it is JSON text, perhaps an index or an error message of a server",
                "Name the weights file itself, or download it again.");
        if (start.Length > 0 && !start.ContainsAnyExcept((byte)0))
            return ("it begins with zeros, as a file does whose download was not finished", "Download the file again.");
        return IsText(start) ? ("it is a text file", "Name the weights file itself, or download it again.") : null;
    }
}
