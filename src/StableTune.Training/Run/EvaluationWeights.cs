using StableTune.Optimizers;

namespace StableTune.Training;

/// <summary>The weights that samples, validation and saved files use where they are others than those that are trained: a moving average,
/// or what the optimizer has.</summary>
internal sealed class EvaluationWeights(IOptimizer optimizer, WeightAverage? average, bool savesBoth)
{
    private IDisposable? _inPlace;

    /// <summary>Whether files of both are written.</summary>
    public bool SavesBoth => average is not null && savesBoth;

    /// <summary>Whether others than the trained ones are in their place.</summary>
    public bool AreInPlace => _inPlace is not null;

    /// <summary>Puts them in the place of the trained ones until the result is disposed.</summary>
    public IDisposable Use()
    {
        Take();
        return new Restored(this);
    }

    /// <summary>Does something with the trained weights in place, though the others are in use: states hold what is trained.</summary>
    public T Outside<T>(Func<T> act)
    {
        PutBack();
        try
        {
            return act();
        }
        finally
        {
            Take();
        }
    }

    /// <summary>Leaves them in the place of the trained ones for good: a host that keeps the model has use for no others.</summary>
    /// <param name="trained">What is trained.</param>
    public void Leave(IEnumerable<Tensor> trained)
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        Tensor[] weights = [.. trained];
        Tensor[] evaluated;
        using (Use())
        {
            if (_inPlace is null) return;
            evaluated = [.. weights.Select(weight => weight.detach().clone())];
        }

        foreach (var (weight, value) in weights.Zip(evaluated)) weight.copy_(value);
    }

    private void Take() => _inPlace = average is not null ? average.Use() : optimizer.UseEvaluationWeights();

    private void PutBack()
    {
        _inPlace?.Dispose();
        _inPlace = null;
    }

    private sealed class Restored(EvaluationWeights weights) : IDisposable
    {
        public void Dispose() => weights.PutBack();
    }
}
