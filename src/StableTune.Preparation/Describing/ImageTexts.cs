using StableTune.Data;
using StableTune.Imaging;

namespace StableTune.Preparation;

/// <summary>Where the texts about images are kept: beside the images, or in one metadata file.</summary>
internal abstract class ImageTexts
{
    /// <summary>The place that options name.</summary>
    /// <exception cref="InvalidFileException">The metadata file that is there cannot be read.</exception>
    internal static ImageTexts Open(ImageTextOptions options) => options.Output is { } output ? new InOneFile(output, options.Kind)
        : new BesideImages(options.TextExtension);

    /// <summary>Why an image is left out where texts that are there stay; null where it has none.</summary>
    internal abstract string? WhatIsThere(ImageToDescribe image);

    /// <summary>The text of an image; empty where it has none.</summary>
    internal abstract string Read(ImageToDescribe image);

    /// <summary>Writes, or notes, the text of an image.</summary>
    internal abstract void Write(ImageToDescribe image, PixelSize size, string text);

    /// <summary>Writes what was noted.</summary>
    internal virtual void Complete()
    {
    }

    private sealed class BesideImages(string extension) : ImageTexts
    {
        internal override string? WhatIsThere(ImageToDescribe image) => File.Exists(Of(image))
            ? $"it has a text file {Path.GetFileName(Of(image))} already; set Existing to overwrite it or to add to it" : null;

        internal override string Read(ImageToDescribe image)
        {
            var file = new FileInfo(Of(image));
            return file is { Exists: true, Length: > 0 } ? CaptionFinder.Read(file.FullName).Trim('\r', '\n') : "";
        }

        internal override void Write(ImageToDescribe image, PixelSize size, string text) => AtomicFile.WriteText(Of(image), text + "\n");

        private string Of(ImageToDescribe image) => Path.ChangeExtension(image.Path, extension);
    }

    private sealed class InOneFile(string path, MergedText kind) : ImageTexts
    {
        /// <summary>New texts between two writings of the file: what a killed process loses at most.</summary>
        private const int SaveEvery = 256;

        private readonly OrderedDictionary<string, ImageMetadata> _images = File.Exists(path) ? MetadataFile.Load(path)
            : new(StringComparer.Ordinal);
        private int _unsaved;

        internal override string? WhatIsThere(ImageToDescribe image) => Text(image) is null ? null
            : $"{path} has its {kind.ToString().ToLowerInvariant()} already; set Existing to overwrite them or to add to them";

        internal override string Read(ImageToDescribe image) => Text(image) ?? "";

        internal override void Write(ImageToDescribe image, PixelSize size, string text)
        {
            var before = (_images.GetValueOrDefault(image.Key) ?? new ImageMetadata()) with { ImageSize = size };
            _images[image.Key] = kind == MergedText.Captions ? before with { Caption = text } : before with { Tags = text };
            if (++_unsaved == SaveEvery) Complete();
        }

        internal override void Complete()
        {
            if (_unsaved > 0) MetadataFile.Save(path, _images);
            _unsaved = 0;
        }

        private string? Text(ImageToDescribe image) => _images.GetValueOrDefault(image.Key) is { } known ? kind == MergedText.Captions
            ? known.Caption : known.Tags : null;
    }
}

/// <summary>An image of a folder.</summary>
/// <param name="Path">Where it is.</param>
/// <param name="Key">What a metadata file calls it.</param>
internal readonly record struct ImageToDescribe(string Path, string Key);
