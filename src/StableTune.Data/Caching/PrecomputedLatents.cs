using StableTune.Formats;

namespace StableTune.Data;

/// <summary>Latents that came with the data set, as sd-trainer prepares them: never made again, never written.</summary>
internal sealed class PrecomputedLatents(VaeIdentity vae) : LatentStore
{
    private const string Remedy = "Make them again with PrepareCaches, or take the file away so that the image is encoded.";

    internal override CacheFinding Find(TrainingSample sample) => CacheFinding.At(sample.Item.LatentsPath!, () =>
    {
        Load(sample);
        return new(CacheState.Present, sample.Item.LatentsPath!);
    });

    internal override CachedLatents Read(TrainingSample sample) => new(ToTensor(Load(sample), ShapeOf(sample, vae.Channels)))
    {
        Mask = sample.Subset.Mask == LossMask.None ? null : SampleMask.Shrunk(sample, null) ?? throw new InvalidFileException(sample.Path,
            "latents that came with the data set have no alpha channel.", "Use masks of files, or no mask."),
    };

    internal override void Write(TrainingSample sample, CachedLatents latents) =>
        throw new InvalidOperationException($"{sample.Item.LatentsPath} came with the data set.");

    /// <summary>The problem of an image whose latents do not serve.</summary>
    internal static OptionProblem Problem(CacheFinding finding) => new("DatasetItem.LatentsPath", finding.Path, finding.Reason!, Remedy);

    private float[] Load(TrainingSample sample)
    {
        var (array, shape) = (NpyFile.Read(sample.Item.LatentsPath!), ShapeOf(sample, vae.Channels));
        if (!array.Shape.SequenceEqual(shape))
            throw new InvalidFileException(sample.Item.LatentsPath!,
                $"the latents are [{string.Join(", ", array.Shape)}], but [{string.Join(", ", shape)}] is wanted.", Remedy);
        return Floats(array)
            ?? throw new InvalidFileException(sample.Item.LatentsPath!, "the latents are no finite floating-point numbers.", Remedy);
    }
}
