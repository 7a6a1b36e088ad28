using StableTune.Imaging;

namespace StableTune.Preparation;

/// <summary>DeepDanbooru in an ONNX file, with its <c>tags.txt</c> beside it. Write tags from a threshold of 0.5 on, as it does
/// itself.</summary>
/// <remarks>Images are resized to fit and centred; their edges fill the rest. Values are in [0, 1], red first.</remarks>
public sealed record DeepDanbooruOptions : OnnxTaggerOptions
{
    /// <summary>
    /// Whether tags have categories: <c>rating:...</c> are ratings, and those of <c>tags-character.txt</c> beside the model characters.
    /// Default false: all are general tags, in the order of <c>tags.txt</c> and with ratings among them, as DeepDanbooru writes them.
    /// </summary>
    public bool Categories { get; init; }

    internal override int UsualSize => 512;

    internal override bool IsBgr(OnnxModelFiles files) => false;

    internal override TagVocabulary Vocabulary(OnnxModelFiles files)
    {
        const string list = "tags-character.txt";
        var characters = !Categories ? null : files.Companion(list) ?? throw new InvalidFileException(files.Model,
            $"the list of characters, {list}, is not beside it.", "Put it there, or leave Categories unset.");
        return TagVocabulary.LoadList(Beside(files, "tags.txt"), characters);
    }

    internal override PixelImage Fitted(PixelImage image, int width, int height)
    {
        var scale = Math.Min((double)width / image.Width, (double)height / image.Height);
        var (innerWidth, innerHeight) = (Side(image.Width, width), Side(image.Height, height));
        var inner = ImageResize.Resize(image, innerWidth, innerHeight);
        var (left, top) = ((width - innerWidth) / 2, (height - innerHeight) / 2);
        var result = new PixelImage(width, height);
        for (var y = 0; y < height; y++)
        {
            var from = inner.Row(Math.Clamp(y - top, 0, innerHeight - 1));
            var to = result.Row(y);
            from.CopyTo(to[(3 * left)..]);
            for (var x = 0; x < left; x++) from[..3].CopyTo(to[(3 * x)..]);
            for (var x = left + innerWidth; x < width; x++) from[^3..].CopyTo(to[(3 * x)..]);
        }

        return result;

        int Side(int length, int most) => Math.Clamp((int)Math.Round(length * scale), 1, most);
    }

    internal override PixelScaling Scaling(OnnxModelFiles files, PictureInput input) => PixelScaling.Unit;
}
