namespace StableTune.Models;

/// <summary>
/// Encoding and decoding in overlapping tiles that are blended into each other: memory that does not grow with the picture. Tiles do not
/// see beyond their edges, so colours may differ a little from those of a picture that is done as a whole.
/// </summary>
/// <remarks>As diffusers' <c>enable_tiling</c>, whose tiles are as large as the model's sample size.</remarks>
public sealed record VaeTilingOptions : OptionsBase
{
    /// <summary>Side of a tile in pixels, a multiple of 8; pictures up to it are done as a whole. Default 512.</summary>
    public int TilePixels { get; init; } = 512;

    /// <summary>The part of a tile that overlaps with the next one, from 0 to 0.5. Default 0.25.</summary>
    public double Overlap { get; init; } = 0.25;

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (TilePixels < 64 || TilePixels % 8 != 0)
            yield return Problem(TilePixels, "a tile is at least 64 pixels wide, and a multiple of 8", "512 is customary, 256 takes less");
        if (!(Overlap >= 0 && Overlap <= 0.5))
            yield return Problem(Overlap, "the overlap lies from 0 to 0.5", "0.25 is customary; without one, seams are seen");
    }
}
