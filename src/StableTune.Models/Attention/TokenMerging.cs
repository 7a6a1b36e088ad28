namespace StableTune.Models;

/// <summary>Merges tokens of a model, see <see cref="TokenMergingOptions"/>. Made by <see cref="TokenMergingOptions.Create"/>.</summary>
public sealed class TokenMerging
{
    private readonly Generator _random;

    internal TokenMerging(TokenMergingOptions options, Generator random) => (Options, _random) = (options, random);

    /// <summary>How tokens are merged.</summary>
    public TokenMergingOptions Options { get; }

    /// <summary>Which tokens are kept of a feature map, for one pass of a transformer block; null where this one is not merged.</summary>
    /// <param name="latentHeight">Height of the latents.</param>
    /// <param name="latentWidth">Width of the latents.</param>
    /// <param name="samples">Samples in the batch.</param>
    /// <param name="tokens">Tokens of the feature map.</param>
    internal TokenCells? Draw(long latentHeight, long latentWidth, long samples, long tokens)
    {
        // tomesd's rounding: odd sides are halved upwards.
        var downsample = (long)Math.Ceiling(Math.Sqrt(latentHeight * latentWidth / tokens));
        var merged = (long)(tokens * Options.Ratio);
        if (downsample > Options.MaxDownsample || merged < 1) return null;
        var (height, width) = (RoundUp(latentHeight, downsample), RoundUp(latentWidth, downsample));
        return new TokenCells(Options, height, width, merged, Options.UseRandom && samples % 2 == 0 ? Draw(height, width) : null);
    }

    /// <summary>The place of the kept token in each cell, row by row.</summary>
    private long[] Draw(long height, long width)
    {
        using var scope = NewDisposeScope();
        var cells = height / Options.StrideY * (width / Options.StrideX);
        return randint(Options.StrideX * Options.StrideY, cells, dtype: ScalarType.Int64, generator: _random).data<long>().ToArray();
    }

    private static long RoundUp(long size, long divisor) => (size + divisor - 1) / divisor;
}

/// <summary>Which tokens of a feature map are kept to merge others into: one of each whole cell.</summary>
/// <param name="options">Size of the cells.</param>
/// <param name="height">Height of the feature map.</param>
/// <param name="width">Width of the feature map.</param>
/// <param name="merged">How many tokens shall be merged away.</param>
/// <param name="places">The place of the kept token in each cell, row by row; null for the first.</param>
internal sealed class TokenCells(TokenMergingOptions options, long height, long width, long merged, long[]? places)
{
    /// <summary>Which parts of a block work on merged tokens.</summary>
    public TokenMergingOptions Options => options;

    /// <summary>Finds for these tokens which are merged into which: the most alike of those that are not kept.</summary>
    /// <param name="tokens">[B, N, C], N = height · width.</param>
    public MergedTokens Match(Tensor tokens)
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        var (samples, count) = (tokens.shape[0], tokens.shape[1]);
        var (kept, others) = Split();
        var (keptAt, othersAt) = (Places(kept, tokens.device), Places(others, tokens.device));
        var metric = tokens.detach().As(HalfPrecision.ComputeType(tokens));
        metric = metric / metric.norm(-1, keepdim: true);
        var scores = metric.index_select(1, othersAt).bmm(metric.index_select(1, keptAt).transpose(1, 2));   // [B, others, kept]
        var (likeness, nearest) = scores.max(-1);                                                       // [B, others]
        var away = Math.Min(others.Length, merged);
        var order = likeness.argsort(-1, descending: true);                                             // the most alike first
        var (gone, stays) = (order.narrow(1, 0, away), order.narrow(1, away, others.Length - away));
        // Each token's place among the merged: those that stay, in this order, then the kept.
        var unmerged = others.Length - away;
        var ofOthers = zeros_like(order)
            .scatter(1, stays, arange(unmerged, dtype: ScalarType.Int64, device: tokens.device).expand(samples, unmerged))
            .scatter(1, gone, nearest.gather(1, gone) + unmerged);
        var ofKept = arange(unmerged, unmerged + kept.Length, dtype: ScalarType.Int64, device: tokens.device).expand(samples, kept.Length);
        var targets = zeros([samples, count], dtype: ScalarType.Int64, device: tokens.device)
            .index_copy(1, othersAt, ofOthers).index_copy(1, keptAt, ofKept);
        return new MergedTokens(targets.MoveToOuterDisposeScope(), unmerged + kept.Length);
    }

    /// <summary>Kept tokens and the others by their numbers in the feature map, both in its order.</summary>
    private (long[] Kept, long[] Others) Split()
    {
        var (rows, columns) = (height / options.StrideY, width / options.StrideX);
        var isKept = new bool[height * width];
        for (var cell = 0L; cell < rows * columns; cell++)
        {
            var place = places?[cell] ?? 0;
            var y = (cell / columns * options.StrideY) + (place / options.StrideX);
            var x = (cell % columns * options.StrideX) + (place % options.StrideX);
            isKept[(y * width) + x] = true;
        }

        var all = Enumerable.Range(0, isKept.Length).Select(token => (long)token).ToLookup(token => isKept[token]);
        return ([.. all[true]], [.. all[false]]);
    }

    private static Tensor Places(long[] numbers, Device device)
    {
        using var scope = NewDisposeScope();
        return tensor(numbers, dtype: ScalarType.Int64).to(device).alias().MoveToOuterDisposeScope();
    }
}

/// <summary>Which tokens are merged into which. Belongs to the open dispose scope.</summary>
/// <param name="Targets">Each token's place among the merged ones, [B, N].</param>
/// <param name="Count">Merged tokens, M.</param>
internal sealed record MergedTokens(Tensor Targets, long Count)
{
    /// <summary>The means of the tokens that are merged: [B, N, C] to [B, M, C].</summary>
    public Tensor Merge(Tensor tokens)
    {
        using var scope = NewDisposeScope();
        var (samples, channels) = (tokens.shape[0], tokens.shape[2]);
        var counts = zeros([samples, Count], dtype: tokens.dtype, device: tokens.device)
            .scatter_add(1, Targets, ones_like(Targets).to(tokens.dtype));
        return zeros([samples, Count, channels], dtype: tokens.dtype, device: tokens.device)
            .scatter_add(1, Expanded(channels), tokens).div(counts.unsqueeze(-1)).MoveToOuterDisposeScope();
    }

    /// <summary>Each merged token in the place of all that it is made of: [B, M, C] to [B, N, C].</summary>
    public Tensor Unmerge(Tensor tokens)
    {
        using var scope = NewDisposeScope();
        return tokens.gather(1, Expanded(tokens.shape[2])).MoveToOuterDisposeScope();
    }

    private Tensor Expanded(long channels) => Targets.unsqueeze(-1).expand(-1, -1, channels);
}
