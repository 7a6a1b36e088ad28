using StableTune.Data;
using StableTune.Formats;
using StableTune.Imaging;

namespace StableTune.Preparation;

/// <summary>How masks of faces are made of the images of a folder; sd-trainer's <c>create_mask</c>.</summary>
public sealed record FaceMaskOptions : ModelFolderOptions
{
    /// <summary>How much what is no face counts, 0 to 1. Default 0.05, as sd-trainer has it.</summary>
    public float Background { get; init; } = 0.05f;

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        foreach (var problem in base.Validate()) yield return problem;
        if (!(Background is >= 0 and <= 1)) yield return Problem(Background, "a share lies in [0, 1]", "0.05 is customary");
    }
}

/// <summary>
/// Makes masks of faces in the size of latents: for <c>cat.jpg</c> a <c>cat.npz</c> with 1 where a face is and
/// <see cref="FaceMaskOptions.Background"/> elsewhere under <c>arr_0</c>, [H/8, W/8], as sd-trainer's <c>create_mask</c> writes them into
/// the folder <c>mask</c> of its data sets. An image without a face gets <see cref="FaceMaskOptions.Background"/> everywhere. For masks as
/// pictures see <see cref="FaceMaskSource"/>.
/// </summary>
public static class FaceMaskMaking
{
    private const int Scale = 8;

    /// <summary>Makes the masks. Images are read ahead on other threads; the detector is called on this one.</summary>
    /// <param name="options">Where from, where to, and how. The images have the size in which they are trained.</param>
    /// <param name="detector">Finds the faces.</param>
    /// <param name="progress">Counts images.</param>
    /// <param name="cancellationToken">Ends the work between batches; complete files stay.</param>
    /// <returns>How many images have a new mask, and those that were left out.</returns>
    /// <exception cref="InvalidOptionsException">The options cannot work.</exception>
    public static PreparationReport Run(FaceMaskOptions options, IFaceDetector detector, IProgress<WorkProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(detector);
        InvalidOptionsException.ThrowIfAny(options.Validate());
        return new ModelFolderWork<IReadOnlyList<DetectedFace>>(options, "finding faces", ".npz")
        {
            Ask = (pictures, stop) => [.. pictures.Select(picture => detector.Find(picture, stop))],
            Write = (target, picture, faces) => Write(target, picture.Size, faces, options.Background),
        }.Run(progress, cancellationToken);
    }

    private static string? Write(string target, PixelSize size, IReadOnlyList<DetectedFace> faces, float background)
    {
        var (width, height) = (size.Width / Scale, size.Height / Scale);
        if (width == 0 || height == 0) return $"the image is {size}, too small for a mask of an eighth of its size";
        var mask = new float[width * height];
        Array.Fill(mask, background);
        foreach (var face in faces)
        {
            var (left, top, right, bottom) = face.Within(size);
            for (var y = top / Scale; y < bottom / Scale; y++)
                if (left / Scale < right / Scale) mask.AsSpan((y * width)..(((y + 1) * width)))[(left / Scale)..(right / Scale)].Fill(1);
        }

        NpzWriter.Write(target, [NpyArray.Of<float>("arr_0", mask, height, width).ToPayload()]);
        return null;
    }
}

/// <summary>Masks that are white where a detector finds faces, for <see cref="MaskMaking"/>. Images without a face are left out.</summary>
/// <param name="detector">Finds the faces.</param>
/// <param name="background">How much what is no face counts, 0 to 255. Default 0.</param>
public sealed class FaceMaskSource(IFaceDetector detector, byte background = 0) : IMaskSource
{
    private readonly IFaceDetector _detector = detector ?? throw new ArgumentNullException(nameof(detector));

    /// <inheritdoc/>
    public IReadOnlyList<PixelImage?> Masks(IReadOnlyList<PixelImage> images, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(images);
        return [.. images.Select(image => Mask(image, _detector.Find(image, cancellationToken)))];
    }

    private PixelImage? Mask(PixelImage image, IReadOnlyList<DetectedFace> faces)
    {
        if (faces.Count == 0) return null;
        var mask = new PixelImage(image.Width, image.Height);
        mask.Pixels.AsSpan().Fill(background);
        foreach (var face in faces)
        {
            var (left, top, right, bottom) = face.Within(image.Size);
            for (var y = top; y < bottom; y++) mask.Row(y)[(3 * left)..(3 * right)].Fill(255);
        }

        return mask;
    }
}
