using StableTune.Data;
using StableTune.Imaging;

namespace StableTune.Preparation;

/// <summary>
/// Cuts images around the faces that a detector finds, and writes them as PNG with the face's place in the name
/// (<see cref="FacePlace"/>), as <see cref="AugmentationOptions.FaceCrop"/> reads it.
/// </summary>
/// <remarks>
/// The reference cuts every face even where one was asked for, and cuts wrongly after the first face that made it resize the image.
/// </remarks>
public static class FaceCropping
{
    /// <summary>Does the work.</summary>
    /// <param name="options">Where from, where to, and how.</param>
    /// <param name="detector">Finds the faces; called on the calling thread.</param>
    /// <param name="progress">Counts images.</param>
    /// <param name="cancellationToken">Ends the work; complete files stay.</param>
    /// <returns>How many images were dealt with, and those without a face and others that were left out.</returns>
    /// <exception cref="InvalidOptionsException">The options cannot work.</exception>
    public static PreparationReport Run(
        FaceCroppingOptions options, IFaceDetector detector, IProgress<WorkProgress>? progress = null,
            CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(detector);
        InvalidOptionsException.ThrowIfAny(options.Validate());
        var images = ImageFiles.In(options.Source!);
        var doubles = ImageFiles.Doubles(images);
        ExistingResults.ThrowIfAny("FaceCroppingOptions.Destination", options.Destination!, Earlier(options, images), options.Overwrite,
            options.KeepExisting);
        return new PictureWork<IReadOnlyList<DetectedFace>>([.. images.Where(path => !doubles.Contains(path))], "finding faces")
        {
            Workers = options.Workers,
            ApplyExifOrientation = options.ApplyExifOrientation,
            Ask = (pictures, stop) => [.. pictures.Select(picture => detector.Find(picture, stop))],
            Keep = (shown, faces) => Cut(shown.Path, shown.Image, faces, options),
        }.Run(progress, cancellationToken).And([.. ImageFiles.LeftOut(options.Source!), .. doubles.Select(ImageFiles.Double)]);
    }

    /// <summary>
    /// Cuts of these images that lie in the destination; which would be written again nobody knows before the faces are found.
    /// </summary>
    private static IEnumerable<string> Earlier(FaceCroppingOptions options, string[] images)
    {
        if (!Directory.Exists(options.Destination) || Path.GetFullPath(options.Destination) == Path.GetFullPath(options.Source!)) return [];
        var stems = images.Select(path => Path.GetFileNameWithoutExtension(path)).ToHashSet(StringComparer.Ordinal);
        return ImageFiles.In(options.Destination).Where(path => FacePlace.StemOf(Path.GetFileNameWithoutExtension(path)) is { } stem
            && (stems.Contains(stem) || stems.Contains(Unnumbered(stem))));

        static string Unnumbered(string stem) => stem.LastIndexOf('_') is > 0 and var cut ? stem[..cut] : stem;
    }

    /// <summary>How an image is resized and cut, and where the face is then.</summary>
    internal static (Framing Framing, FacePlace Face) Frame(PixelSize image, FacePlace face, FaceCroppingOptions options)
    {
        if (Wanted(face, options) is not { } wanted) return (new(image, 0, 0, image), face);
        var scale = Scale(image, wanted, face, options);
        if (image.Area * scale * scale > new ImageLoadOptions().MaxPixels)
            throw new IOException(
                $"to show a face of {face.Width}x{face.Height} as wished, the image, {image}, would be enlarged {scale:0} times");
        if (scale != 1)
        {
            image = new(Scaled(image.Width), Scaled(image.Height));
            face = new(
                Math.Min(Scaled(face.X), image.Width - 1), Math.Min(Scaled(face.Y), image.Height - 1),
                Math.Max(1, Scaled(face.Width)), Math.Max(1, Scaled(face.Height)));
        }

        var size = new PixelSize(Math.Min(wanted.Width, image.Width), Math.Min(wanted.Height, image.Height));
        var (left, top) = (Math.Clamp(face.X - (size.Width / 2), 0, image.Width - size.Width),
            Math.Clamp(face.Y - (size.Height / 2), 0, image.Height - size.Height));
        return (new(image, left, top, size), face with { X = face.X - left, Y = face.Y - top });

        int Scaled(int length) => (int)((length * scale) + 0.5);
    }

    private static PixelSize? Wanted(FacePlace face, FaceCroppingOptions options) => options.CropRatio is { } ratio
        ? new(Side(face.Size * ratio.Horizontal), Side(face.Size * ratio.Vertical)) : options.CropSize;

    // What is larger than any image is cut to the image's size.
    private static int Side(double length) => (int)Math.Clamp(length + 0.5, 1, int.MaxValue / 2);

    private static double Scale(PixelSize image, PixelSize wanted, FacePlace face, FaceCroppingOptions options)
    {
        if (options.CropRatio is not null) return 1;
        var cover = Math.Max((double)wanted.Width / image.Width, (double)wanted.Height / image.Height);
        return options.FitToCrop ? cover : Math.Max(cover, options.FaceSize is { } length ? (double)length / face.Size : 1);
    }

    private static IEnumerable<SkippedFile> Cut(string path, PixelImage image, IReadOnlyList<DetectedFace> faces,
        FaceCroppingOptions options)
    {
        // Numbers count from the largest face on, also where some are left out by their size: as the reference numbers them.
        var largestFirst = faces.Select(face => (Face: face, Place: Place(face, image.Size))).OrderByDescending(face => face.Place.Size)
            .ToList();
        var taken = (options.MultipleFaces ? largestFirst : largestFirst.Take(1))
            .Select((face, index) => (face.Face, face.Place, Number: options.MultipleFaces ? index + 1 : (int?)null))
            .Where(face => face.Place.Size >= (options.MinSize ?? 1) && face.Place.Size < (options.MaxSize ?? int.MaxValue)).ToList();
        if (taken.Count == 0)
            return [new(path, faces.Count == 0 ? "no face was found"
                : $"its largest face, {largestFirst[0].Place.Width}x{largestFirst[0].Place.Height}, is too small or too large")];
        return [.. taken.Select(face => Write(path, image, face.Face, face.Place, face.Number, options)).OfType<SkippedFile>()];
    }

    private static SkippedFile? Write(string path, PixelImage image, DetectedFace detected, FacePlace place, int? number,
        FaceCroppingOptions options)
    {
        var (framing, face) = Frame(image.Size, place, options);
        var target = Path.Combine(options.Destination!, face.FileName(Path.GetFileNameWithoutExtension(path), number));
        if (!options.Overwrite && File.Exists(target)) return SkippedFile.There(target);
        if (options.Rotate && detected.Tilt != 0) image = ImageRotation.Rotate(image, detected.Tilt, place.X, place.Y);
        var cut = ImageResize.Resize(image, framing.Resized.Width, framing.Resized.Height)
            .Crop(framing.Left, framing.Top, framing.Size.Width, framing.Size.Height);
        ImageFile.SavePng(target, cut);
        return null;
    }

    /// <summary>In whole pixels, with the middle inside the image.</summary>
    private static FacePlace Place(DetectedFace face, PixelSize image)
    {
        if (!double.IsFinite(face.Left + face.Top + face.Width + face.Height + face.Tilt) || face.Width < 1 || face.Height < 1)
        {
            var what = FormattableString.Invariant($"{face.Width} x {face.Height} at ({face.Left}, {face.Top}), tilted by {face.Tilt}");
            throw new IOException($"the detector gave a face that cannot be: {what}");
        }

        return new(Inside(face.Left + (face.Width / 2), image.Width), Inside(face.Top + (face.Height / 2), image.Height),
            Inside(face.Width, int.MaxValue), Inside(face.Height, int.MaxValue));

        static int Inside(double place, int length) => (int)Math.Clamp(place, 0, length - 1.0);
    }
}
