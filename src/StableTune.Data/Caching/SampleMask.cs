using StableTune.Formats;
using StableTune.Imaging;

namespace StableTune.Data;

/// <summary>Masks of images whose latents are cached.</summary>
internal static class SampleMask
{
    /// <summary>
    /// The alpha channel as files hold it: a share for each pixel of the prepared picture, [H * W], all 1 where there is none.
    /// </summary>
    internal static float[] Whole(TrainingSample sample)
    {
        var image = ImagePreparation.Load(sample);
        var shares = new float[image.Width * image.Height];
        if (image.Channels < 4) Array.Fill(shares, 1);
        else
            for (var i = 0; i < shares.Length; i++) shares[i] = image.Pixels[(i * image.Channels) + 3] / 255f;
        return shares;
    }

    /// <summary>
    /// A mask in the size of latents, [H/8 * W/8]: of the file where it is the alpha channel, else of the second image. Null when the
    /// file's does not fit.
    /// </summary>
    internal static float[]? Shrunk(TrainingSample sample, NpyArray? stored)
    {
        var size = sample.Framing.Size;
        var width = size.Width / MaskValues.Scale;
        var values = new float[width * (size.Height / MaskValues.Scale)];
        if (sample.Subset.Mask == LossMask.Conditioning)
        {
            if (sample.Item.ConditioningPath is null) Array.Fill(values, 1);
            else MaskValues.Fill(ImagePreparation.LoadConditioning(sample, ImageDraw.Plain(sample)), 0, values);
            return values;
        }

        if (stored is null || !stored.Shape.SequenceEqual([size.Height, size.Width]) || LatentStore.Floats(stored) is not { } shares)
            return null;
        for (var i = 0; i < shares.Length; i++)
            values[(i / size.Width / MaskValues.Scale * width) + (i % size.Width / MaskValues.Scale)] += shares[i];
        foreach (ref var value in values.AsSpan()) value = Math.Clamp(value / (MaskValues.Scale * MaskValues.Scale), 0, 1);
        return values;
    }

    /// <summary>Reads a mask that came with the data set to see whether it serves.</summary>
    /// <exception cref="InvalidFileException">As for <see cref="Given"/>.</exception>
    internal static void Check(TrainingSample sample)
    {
        var size = sample.Framing.Size;
        Given(sample, flip: false, new float[size.Width / MaskValues.Scale * (size.Height / MaskValues.Scale)]);
    }

    /// <summary>Multiplies values by a mask that came with the data set.</summary>
    /// <param name="sample">The image; it has such a mask.</param>
    /// <param name="flip">Whether it is mirrored.</param>
    /// <param name="values">[H/8 * W/8], changed.</param>
    /// <exception cref="InvalidFileException">The file is damaged, or of another size.</exception>
    internal static void Given(TrainingSample sample, bool flip, Span<float> values)
    {
        const string remedy = "Make it again, with one number in [0, 1] for each place of the latents, under the name arr_0.";
        using var file = NpzFile.Open(sample.Item.MaskPath!);
        var array = file.ReadArray(LatentArchive.Unnamed);
        var size = sample.Framing.Size;
        var (width, height) = (size.Width / MaskValues.Scale, size.Height / MaskValues.Scale);
        if (!array.Shape.SequenceEqual([height, width]))
            throw new InvalidFileException(file.Path, $"the mask is {array}, but [{height}, {width}] is the size of the latents.", remedy);
        if (LatentStore.Floats(array) is not { } factors || factors.AsSpan().ContainsAnyExceptInRange(0, 1))
            throw new InvalidFileException(file.Path, "the mask holds what is no number in [0, 1].", remedy);
        if (flip) MaskValues.Flip(factors, width);
        for (var i = 0; i < factors.Length; i++) values[i] *= factors[i];
    }
}
