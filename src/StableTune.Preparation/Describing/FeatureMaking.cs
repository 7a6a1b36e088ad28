using StableTune.Data;
using StableTune.Formats;

namespace StableTune.Preparation;

/// <summary>How what a tagger sees is kept for the images of a folder; sd-trainer's <c>create_pfg_feature</c>.</summary>
public sealed record FeatureMakingOptions : ModelFolderOptions;

/// <summary>
/// Keeps what a tagger sees in the images of a folder, which PFG trains on instead of captions: for <c>cat.jpg</c> a <c>cat.npz</c> with
/// the features under <c>controll</c>, [D], as sd-trainer's <c>create_pfg_feature</c> writes them. The folder serves as
/// <see cref="SubsetOptions.PromptFreeFolder"/>.
/// </summary>
public static class FeatureMaking
{
    /// <summary>Makes the files. Images are read ahead on other threads; the source of features is called on this one.</summary>
    /// <param name="options">Where from, where to, and how.</param>
    /// <param name="source">Finds the features.</param>
    /// <param name="progress">Counts images.</param>
    /// <param name="cancellationToken">Ends the work between batches; complete files stay.</param>
    /// <returns>How many images have new features, and those that were left out.</returns>
    /// <exception cref="InvalidOptionsException">The options cannot work.</exception>
    /// <exception cref="InvalidOperationException">The source does not answer once for each image, or with different numbers of
    /// features.</exception>
    public static PreparationReport Run(FeatureMakingOptions options, IFeatureSource source, IProgress<WorkProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(source);
        InvalidOptionsException.ThrowIfAny(options.Validate());
        var width = 0;
        return new ModelFolderWork<float[]>(options, "finding features", ".npz")
        {
            Ask = source.Features,
            Prepare = source.Prepare,
            Write = Write,
        }.Run(progress, cancellationToken);

        string? Write(string target, ShownImage picture, float[] features)
        {
            if (width == 0) width = features.Length;
            if (features.Length == 0 || features.Length != width)
                throw new InvalidOperationException($"{Path.GetFileName(target)}: the source gave {features.Length} features, and {width} "
                    + "for the first image. Give the same number for each, at least 1.");
            if (!features.All(float.IsFinite)) return "its features are no finite numbers";
            NpzWriter.Write(target, [NpyArray.Of<float>("controll", features, features.Length).ToPayload()]);
            return null;
        }
    }
}
