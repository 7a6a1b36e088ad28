using System.Text.Json.Nodes;
using StableTune.Imaging;

namespace StableTune.Data;

/// <summary>What a metadata file says of one image.</summary>
public sealed record ImageMetadata
{
    /// <summary>A sentence about the image; null when there is none.</summary>
    public string? Caption { get; init; }

    /// <summary>Words about the image, joined with ", "; null when there are none.</summary>
    public string? Tags { get; init; }

    /// <summary>The size that preparation chose for training, in pixels; null before that.</summary>
    public PixelSize? TrainResolution { get; init; }

    /// <summary>The size of the image file in pixels; null when it was not noted.</summary>
    public PixelSize? ImageSize { get; init; }

    /// <summary>What the file says beyond that, kept when it is written again.</summary>
    public IReadOnlyDictionary<string, JsonNode?> Others { get; init; } = new Dictionary<string, JsonNode?>();
}
