using StableTune.Data;
using StableTune.Imaging;

namespace StableTune.Preparation;

/// <summary>How images are cut around faces; sd-scripts' <c>detect_face_rotate</c>.</summary>
public sealed record FaceCroppingOptions : ImageFolderOptions
{
    /// <summary>Whether each image is turned about the face until the eyes are level. (<c>rotate</c>)</summary>
    public bool Rotate { get; init; }

    /// <summary>
    /// The size to cut to, with the face in the middle as far as the image reaches; null cuts nothing. (<c>crop_size</c>)
    /// </summary>
    public PixelSize? CropSize { get; init; }

    /// <summary>
    /// The size to cut to as multiples of the face's longer side; null cuts nothing. Excludes <see cref="CropSize"/>. (<c>crop_ratio</c>)
    /// </summary>
    public (double Horizontal, double Vertical)? CropRatio { get; init; }

    /// <summary>
    /// Before cutting to <see cref="CropSize"/>, the image is resized until the face's longer side has so many pixels, or more where the
    /// image would be smaller than the cut; null does not. (<c>resize_face_size</c>)
    /// </summary>
    public int? FaceSize { get; init; }

    /// <summary>
    /// Whether the image is resized until it just covers <see cref="CropSize"/>, so that the cut is as large a part of it as can be.
    /// (<c>resize_fit</c>)
    /// </summary>
    public bool FitToCrop { get; init; }

    /// <summary>Faces whose longer side is shorter are left out; null takes all. (<c>min_size</c>)</summary>
    public int? MinSize { get; init; }

    /// <summary>Faces whose longer side is as long or longer are left out; null takes all. (<c>max_size</c>)</summary>
    public int? MaxSize { get; init; }

    /// <summary>
    /// Whether every face of an image gives an image, numbered from the largest on; otherwise the largest one does. (<c>multiple_faces</c>)
    /// </summary>
    public bool MultipleFaces { get; init; }

    /// <summary>Threads that read images ahead of the detector. Default one less than the processors.</summary>
    public int Workers { get; init; } = new BatchLoaderOptions().Workers;

    private protected override bool MayLieBesideImages => true;

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        foreach (var problem in base.Validate()) yield return problem;
        if (CropSize is { } size && (size.Width < 1 || size.Height < 1))
            yield return Problem($"{size}", "no side of a cut may be 0", "give for instance 512x512", nameof(CropSize));
        if (CropRatio is { } ratio && !(ratio.Horizontal > 0 && ratio.Vertical > 0 && double.IsFinite(ratio.Horizontal)
            && double.IsFinite(ratio.Vertical)))
            yield return Problem(Invariant(ratio), "both multiples must be positive", "2 to 4 times the face are customary",
                nameof(CropRatio));
        if (CropSize is not null && CropRatio is { } both)
            yield return Problem(Invariant(both), $"the cut is {CropSize} already", "set one of the two", nameof(CropRatio));
        if (FaceSize < 1) yield return Problem(FaceSize, "a face has at least 1 pixel", "leave it unset to keep the image's size");
        if (FaceSize is not null && CropSize is null)
            yield return Problem(FaceSize, "images are resized only to be cut to a size", "set CropSize too");
        if (FitToCrop && CropSize is null)
            yield return Problem(FitToCrop, "images are resized only to be cut to a size", "set CropSize too");
        if (FitToCrop && FaceSize is not null)
            yield return Problem(FitToCrop, $"the face's size ({FaceSize}) decides already", "set one of the two");
        if (MinSize < 1) yield return Problem(MinSize, "a face has at least 1 pixel", "leave it unset to take all");
        if (MaxSize <= (MinSize ?? 1))
            yield return Problem(MaxSize, "no face is shorter than that and long enough", "leave it unset to take all");
        if (Workers < 0)
            yield return Problem(Workers, "the number of threads must not be negative", "0 reads images in the calling thread");

        static string Invariant((double Horizontal, double Vertical) ratio) =>
            FormattableString.Invariant($"{ratio.Horizontal} x {ratio.Vertical}");
    }
}
