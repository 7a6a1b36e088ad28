namespace StableTune.Models;

/// <summary>What is done to the scores of tokens before one is chosen. All take and give [rows, V] in the caller's scope.</summary>
internal static class TokenRules
{
    /// <summary>Each token that is in its row already once: negative scores times the penalty, others by it.</summary>
    /// <param name="scores">[rows, V].</param>
    /// <param name="ids">[rows, L], int64.</param>
    /// <param name="penalty">Above 0; 1 changes nothing.</param>
    internal static Tensor Penalized(Tensor scores, Tensor ids, double penalty)
    {
        if (penalty == 1) return scores.alias();
        using var scope = NewDisposeScope();
        var seen = scores.gather(1, ids);
        return scores.scatter(1, ids, where(seen.lt(0), seen * penalty, seen / penalty)).MoveToOuterDisposeScope();
    }

    /// <summary>A token that is not allowed.</summary>
    internal static Tensor Without(Tensor scores, long token)
    {
        using var scope = NewDisposeScope();
        return scores.index_fill(1, tensor([token], device: scores.device), double.NegativeInfinity).MoveToOuterDisposeScope();
    }

    /// <summary>The most likely tokens alone, and those that are as likely as the last of them.</summary>
    internal static Tensor Best(Tensor scores, int count)
    {
        if (count >= scores.shape[1]) return scores.alias();
        using var scope = NewDisposeScope();
        var least = scores.topk(count, 1).values.narrow(1, count - 1, 1);
        return scores.masked_fill(scores.lt(least), double.NegativeInfinity).MoveToOuterDisposeScope();
    }

    /// <summary>The fewest most likely tokens whose probabilities sum up to a share: all but those whose sum, from the least likely one
    /// on, is at most 1 - share. The most likely one always stays.</summary>
    /// <remarks>Holtzman et al. 2019, arXiv:1904.09751.</remarks>
    internal static Tensor Nucleus(Tensor scores, double share)
    {
        if (share >= 1) return scores.alias();
        using var scope = NewDisposeScope();
        var (sorted, order) = scores.sort(1, descending: false);
        var unlikely = sorted.softmax(-1).cumsum(-1).le(1 - share);
        unlikely.narrow(1, unlikely.shape[1] - 1, 1).fill_(false);
        return scores.masked_fill(unlikely.scatter(1, order, unlikely), double.NegativeInfinity).MoveToOuterDisposeScope();
    }
}
