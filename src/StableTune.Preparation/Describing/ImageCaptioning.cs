using StableTune.Data;

namespace StableTune.Preparation;

/// <summary>Captions the images of a folder with a model, and writes text files beside them or one metadata file.</summary>
public static class ImageCaptioning
{
    /// <summary>Captions the images. They are read ahead on other threads; the captioner is called on this one.</summary>
    /// <param name="options">Which images, and where the captions go.</param>
    /// <param name="captioner">Describes images.</param>
    /// <param name="progress">Counts images.</param>
    /// <param name="cancellationToken">Ends the work between batches; captions that were made stay.</param>
    /// <returns>How many images have a new caption, and those that were left out.</returns>
    /// <exception cref="InvalidOptionsException">The options cannot work.</exception>
    /// <exception cref="InvalidFileException">The metadata file that is there cannot be read, or the folder cannot be listed.</exception>
    /// <exception cref="InvalidOperationException">The captioner does not answer once for each image.</exception>
    public static PreparationReport Run(
        CaptioningOptions options, ICaptioner captioner, IProgress<WorkProgress>? progress = null,
            CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(captioner);
        InvalidOptionsException.ThrowIfAny(options.Validate());
        return ImageDescribing.Run(
            options, new ImageModel<string>("captioning", captioner.Prepare, captioner.Caption, Text), progress, cancellationToken);

        string? Text(string present, string caption)
        {
            var lines = (caption ?? "").Split(['\r', '\n'], StringSplitOptions.RemoveEmptyEntries);
            // Between lines there is one blank; a blank before the first one is the captioner's own, as BLIP's is.
            var line = string.Join(' ', lines.Select((text, i) => i == 0 ? text.TrimEnd() : text.Trim()).Where(text => text.Length > 0));
            return line.Length == 0 ? null : present.Length == 0 ? line : present + options.Separator + line;
        }
    }
}
