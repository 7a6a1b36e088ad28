namespace StableTune.Optimizers;

/// <summary>
/// Other weights in the place of the trained ones for a while: those that are sampled from and saved. The trained ones are kept as they
/// are, and come back bit for bit.
/// </summary>
internal sealed class SwappedWeights : IDisposable
{
    private (Tensor Weight, Tensor Trained)[] _kept = [];

    private SwappedWeights() { }

    /// <summary>Puts other weights in the place of the trained ones.</summary>
    /// <param name="parameters">Whose weights.</param>
    /// <param name="value">The other weight of each, of its shape and any type; called with a dispose scope open.</param>
    /// <returns>What brings the trained weights back when it is disposed of; null where there is no parameter.</returns>
    public static SwappedWeights? Begin(IEnumerable<OptimizedParameter> parameters, Func<OptimizedParameter, Tensor> value)
    {
        OptimizedParameter[] all = [.. parameters];
        if (all.Length == 0) return null;
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        var weights = new SwappedWeights();
        weights._kept = [.. all.Select(parameter => (parameter.Value, parameter.Value.detach().clone().DetachFromDisposeScope()))];
        foreach (var parameter in all)
        {
            using var inner = NewDisposeScope();
            parameter.Value.copy_(value(parameter));
        }

        return weights;
    }

    public void Dispose()
    {
        using var frozen = no_grad();
        foreach (var (weight, trained) in _kept)
        {
            weight.copy_(trained);
            trained.Dispose();
        }

        _kept = [];
    }
}
