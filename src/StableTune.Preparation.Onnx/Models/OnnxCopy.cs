using System.Text;

namespace StableTune.Preparation;

/// <summary>A copy of a model with a further output.</summary>
/// <remarks>
/// Protocol buffers merge a message that occurs twice: lists are joined. So a graph that holds nothing but the new output, written behind
/// the file, adds it.
/// </remarks>
internal static class OnnxCopy
{
    private const int GraphOfModel = 7, OutputOfGraph = 12, NameOfValue = 1;

    /// <summary>The bytes of such a copy.</summary>
    /// <param name="path">The model.</param>
    /// <param name="value">The value inside the network that becomes an output.</param>
    /// <exception cref="InvalidFileException">The file has 2 GiB or more.</exception>
    internal static byte[] WithOutput(string path, string value)
    {
        var addition = Field(GraphOfModel, Field(OutputOfGraph, Field(NameOfValue, Encoding.UTF8.GetBytes(value))));
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        if (file.Length + addition.Length > Array.MaxLength)
            throw new InvalidFileException(path, $"it has {file.Length} bytes, and an output can be added only to models below 2 GiB.",
                "Take an export with its weights in a file of their own.");
        var copy = new byte[file.Length + addition.Length];
        file.ReadExactly(copy, 0, (int)file.Length);
        addition.CopyTo(copy, (int)file.Length);
        return copy;
    }

    private static byte[] Field(int number, byte[] content)
    {
        using var bytes = new MemoryStream();
        Number((number << 3) | 2);
        Number(content.Length);
        bytes.Write(content);
        return bytes.ToArray();

        void Number(int value)
        {
            for (; value > 0x7F; value >>= 7) bytes.WriteByte((byte)(value | 0x80));
            bytes.WriteByte((byte)value);
        }
    }
}
