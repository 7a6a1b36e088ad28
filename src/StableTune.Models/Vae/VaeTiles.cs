namespace StableTune.Models;

/// <summary>Runs a map through a network in overlapping tiles, and blends the results linearly where they overlap.</summary>
/// <param name="Tile">Side of a tile of the input.</param>
/// <param name="Stride">From one tile of the input to the next.</param>
/// <param name="OutputStride">The same in the output.</param>
/// <param name="OutputOverlap">What neighbours have in common in the output.</param>
internal sealed record VaeTiles(int Tile, int Stride, int OutputStride, int OutputOverlap)
{
    /// <summary>Tiles of pictures that are encoded.</summary>
    /// <param name="options">Size and overlap.</param>
    /// <param name="downscale">Pixels for each latent.</param>
    public static VaeTiles OfPixels(VaeTilingOptions options, int downscale)
    {
        var latents = OfLatents(options, downscale);
        return new VaeTiles(latents.Tile * downscale, latents.OutputStride, latents.Stride, latents.Tile - latents.Stride);
    }

    /// <summary>Tiles of latents that are decoded.</summary>
    /// <param name="options">Size and overlap, in pixels.</param>
    /// <param name="downscale">Pixels for each latent.</param>
    public static VaeTiles OfLatents(VaeTilingOptions options, int downscale)
    {
        var tile = Math.Max(1, options.TilePixels / downscale);
        var stride = Math.Max(1, tile - (int)(tile * options.Overlap));
        return new VaeTiles(tile, stride, stride * downscale, (tile - stride) * downscale);
    }

    /// <summary>The network's result for a map of any size.</summary>
    /// <param name="input">[B, C, H, W].</param>
    /// <param name="run">The network: [B, C, h, w] to [B, D, h', w'], for any h and w.</param>
    public Tensor Run(Tensor input, Func<Tensor, Tensor> run)
    {
        var (height, width) = (input.size(2), input.size(3));
        if (height <= Tile && width <= Tile) return run(input);
        using var scope = NewDisposeScope();
        List<Tensor>? above = null;
        var rows = new List<Tensor>();
        for (var y = 0L; y < height; y += Stride)
        {
            var tiles = new List<Tensor>();
            for (var x = 0L; x < width; x += Stride)
            {
                using var step = NewDisposeScope();
                var tile = run(input.narrow(2, y, Math.Min(Tile, height - y)).narrow(3, x, Math.Min(Tile, width - x)).contiguous());
                if (above is not null) tile = Blended(above[tiles.Count], tile, 2);
                if (tiles.Count > 0) tile = Blended(tiles[^1], tile, 3);
                tiles.Add(tile.MoveToOuterDisposeScope());
            }

            rows.Add(cat([.. tiles.Select(Own)], 3));
            above = tiles;
        }

        return cat(rows, 2).MoveToOuterDisposeScope();
    }

    /// <summary>The part of a tile that no later one takes over.</summary>
    private Tensor Own(Tensor tile) =>
        tile.narrow(2, 0, Math.Min(OutputStride, tile.size(2))).narrow(3, 0, Math.Min(OutputStride, tile.size(3)));

    /// <summary>A tile that goes over from the one before it along a dimension, from all of that to all of its own.</summary>
    private Tensor Blended(Tensor before, Tensor tile, int dimension)
    {
        var extent = Math.Min(OutputOverlap, Math.Min(before.size(dimension), tile.size(dimension)));
        if (extent == 0) return tile;
        using var scope = NewDisposeScope();
        var ramp = (arange(extent, dtype: ScalarType.Float32, device: tile.device) / extent).to(tile.dtype);
        ramp = dimension == 2 ? ramp.unsqueeze(-1) : ramp;
        var end = before.narrow(dimension, before.size(dimension) - extent, extent);
        var begin = tile.narrow(dimension, 0, extent);
        var rest = tile.narrow(dimension, extent, tile.size(dimension) - extent);
        return cat([end * (1 - ramp) + begin * ramp, rest], dimension).MoveToOuterDisposeScope();
    }
}
