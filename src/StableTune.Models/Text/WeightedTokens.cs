namespace StableTune.Models;

/// <summary>Token ids in chunks, each with the weight that its hidden vector is multiplied by.</summary>
/// <param name="Ids">Rows of 77 ids.</param>
/// <param name="Weights">As <paramref name="Ids"/>; 1 for start, end and padding.</param>
public sealed record WeightedTokens(long[][] Ids, float[][] Weights);
