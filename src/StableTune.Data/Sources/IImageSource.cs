using StableTune.Imaging;

namespace StableTune.Data;

/// <summary>A picture that is no file: in memory, in a database, behind a stream. Read again whenever it is needed, by several threads at
/// once.</summary>
public interface IImageSource
{
    /// <summary>What messages and reports call it; one name for each picture of a data set. Names like <c>anna_150_90_40_50</c> tell
    /// where a face is.</summary>
    string Name { get; }

    /// <summary>Width and height as <see cref="Load"/> gives them; cheap, without decoding where that is possible.</summary>
    /// <param name="options">How it will be loaded.</param>
    /// <exception cref="InvalidFileException">It is no picture.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    PixelSize ReadSize(ImageLoadOptions options);

    /// <summary>The picture, the same each time.</summary>
    /// <param name="options">Whether alpha is kept, and how files are decoded.</param>
    /// <exception cref="InvalidFileException">It is damaged.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    PixelImage Load(ImageLoadOptions options);
}
