using StableTune.Imaging;

namespace StableTune.Data;

/// <summary>Cuts around a face, as sd-scripts' <c>face_crop_aug_range</c> does.</summary>
internal static class FaceCrop
{
    /// <summary>Chooses scale and place.</summary>
    /// <param name="image">The image's size.</param>
    /// <param name="target">The training size.</param>
    /// <param name="face">The face in the image.</param>
    /// <param name="range">The training size as a multiple of the face.</param>
    /// <param name="anywhere">Whether the place varies widely about the face (<c>random_crop</c>), otherwise slightly.</param>
    /// <param name="random">Where chance comes from.</param>
    internal static Framing Frame(PixelSize image, PixelSize target, FacePlace face, (double From, double To) range, bool anywhere,
        RandomStream random)
    {
        double size = Math.Min(target.Width, target.Height), length = face.Size;
        var cover = Math.Max((double)target.Height / image.Height, (double)target.Width / image.Width);
        var least = Math.Min(1, Math.Max(cover, size / (length * range.To)));
        var most = Math.Min(1, Math.Max(least, size / (length * range.From)));
        var scale = least >= most ? least : least + (random.NextDouble() * (most - least));
        // An image smaller than the training size is enlarged until it covers it; the reference then fails to cut.
        scale = Math.Max(scale, cover);
        var resized = new PixelSize(Math.Max(target.Width, Round(image.Width * scale)),
            Math.Max(target.Height, Round(image.Height * scale)));
        return new(resized, Start(face.X, resized.Width, target.Width), Start(face.Y, resized.Height, target.Height), target);

        int Start(int middle, int whole, int part)
        {
            var center = Round(middle * scale);
            var start = center - (part / 2);
            if (anywhere)
            {
                var reach = Math.Max(whole - center, center);
                start += random.Next(reach + 1) + random.Next(reach + 1) - reach;
            }
            else if (range.From != range.To && length > Math.Floor(size / 10) && length >= 40)
            {
                var (before, behind) = ((int)Math.Ceiling(length / 20), (int)(length / 20));      // Python rounds both down
                start += random.Next(before + behind + 1) - before;
            }

            return Math.Clamp(start, 0, whole - part);
        }
    }

    private static int Round(double length) => (int)(length + 0.5);
}
