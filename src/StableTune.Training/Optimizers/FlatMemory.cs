namespace StableTune.Optimizers;

/// <summary>
/// The memory of what a <see cref="FlatOptimizer"/> remembers: one vector for each slot of each group's parameters on a device, of which
/// the parameters' slots are parts. An update of whole groups then reads and writes nothing but that vector.
/// </summary>
internal sealed class FlatMemory : IDisposable
{
    private readonly Dictionary<nint, FlatPlace> _places = [];
    private readonly List<FlatBlock> _blocks = [];

    public FlatMemory(IReadOnlyList<ParameterGroup> groups)
    {
        ArgumentNullException.ThrowIfNull(groups);
        foreach (var group in groups)
        {
            foreach (var device in group.Parameters.Select(parameter => parameter.Value).GroupBy(value => value.device.ToString()))
            {
                var block = new FlatBlock(device.First().device);
                foreach (var value in device) _places.Add(value.Handle, block.Take(value.numel()));
                _blocks.Add(block);
            }
        }
    }

    /// <summary>Where a parameter's numbers lie.</summary>
    public FlatPlace Of(Tensor parameter) => _places[parameter.Handle];

    public void Dispose()
    {
        foreach (var block in _blocks) block.Dispose();
    }
}

/// <summary>A parameter's part of a block.</summary>
internal sealed record FlatPlace(FlatBlock Block, long Offset, long Count)
{
    /// <summary>The numbers of one slot, [count].</summary>
    public Tensor In(Tensor vector) => vector.narrow(0, Offset, Count);
}

/// <summary>The vectors of parameters of one group on one device.</summary>
internal sealed class FlatBlock(Device device) : IDisposable
{
    private readonly Dictionary<string, Tensor> _vectors = new(StringComparer.Ordinal);
    private long _count;

    /// <summary>Where the weights of an update are put one after another.</summary>
    public FlatScratch Weights { get; } = new();

    /// <summary>Where the gradients of an update are put one after another.</summary>
    public FlatScratch Gradients { get; } = new();

    public FlatPlace Take(long count)
    {
        var place = new FlatPlace(this, _count, count);
        _count += count;
        return place;
    }

    /// <summary>The vector of a slot, [n], float32; made when it is first asked for.</summary>
    /// <param name="slot">The slot's name.</param>
    /// <param name="value">What its numbers are at first.</param>
    /// <param name="inHostMemory">Whether it lies in host memory, where a GPU can reach it, wherever the parameters are.</param>
    public Tensor Vector(string slot, double value, bool inHostMemory)
    {
        if (_vectors.TryGetValue(slot, out var vector)) return vector;
        using var scope = NewDisposeScope();
        vector = full(_count, value, ScalarType.Float32, inHostMemory && device.type != DeviceType.META ? CPU : device);
        if (inHostMemory && device.type == DeviceType.CUDA) vector = vector.pin_memory();
        return _vectors[slot] = vector.DetachFromDisposeScope();
    }

    /// <summary>The numbers of a slot of several parameters, where these follow each other in the block: a view of the memory; null where
    /// they do not.</summary>
    public static Tensor? Run(IReadOnlyList<OptimizedParameter> parameters, string slot) =>
        RunOf(parameters) is { } run && run.Block._vectors.TryGetValue(slot, out var vector) ? run.In(vector) : null;

    /// <summary>The place of several parameters together, where they follow each other in one block; null where they do not.</summary>
    public static FlatPlace? RunOf(IReadOnlyList<OptimizedParameter> parameters)
    {
        if (parameters[0].Place is not { } first) return null;
        var end = first.Offset;
        foreach (var parameter in parameters)
        {
            if (parameter.Place is not { } place || place.Block != first.Block || place.Offset != end) return null;
            end += place.Count;
        }

        return new FlatPlace(first.Block, first.Offset, end - first.Offset);
    }

    public void Dispose()
    {
        foreach (var vector in _vectors.Values) vector.Dispose();
        _vectors.Clear();
        Weights.Dispose();
        Gradients.Dispose();
    }
}

/// <summary>
/// A vector that is used again in each step, with its parts in the shapes of the parameters: fetching fresh memory and cutting it up takes
/// longer than copying the numbers. Of several updates, each uses it from its beginning.
/// </summary>
internal sealed class FlatScratch : IDisposable
{
    private readonly Dictionary<(long Offset, long Count), Tensor[]> _parts = [];
    private Tensor? _vector;

    /// <summary>The vector of a run of parameters, [n], float32, and its parts.</summary>
    /// <param name="run">Their place.</param>
    /// <param name="like">Tensors of their shapes, on their device.</param>
    public (Tensor Vector, Tensor[] Parts) Of(FlatPlace run, Tensor[] like)
    {
        using var scope = NewDisposeScope();
        if (_vector is null || _vector.numel() < run.Count)
        {
            Dispose();
            _vector = empty(run.Count, ScalarType.Float32, like[0].device).DetachFromDisposeScope();
        }

        var vector = _vector.narrow(0, 0, run.Count);
        if (!_parts.TryGetValue((run.Offset, run.Count), out var parts))
            _parts.Add((run.Offset, run.Count),
                parts = [.. FlatTensors.Split(vector, like).Select(part => part.DetachFromDisposeScope())]);
        return (vector.MoveToOuterDisposeScope(), parts);
    }

    public void Dispose()
    {
        foreach (var part in _parts.Values.SelectMany(part => part)) part.Dispose();
        _parts.Clear();
        _vector?.Dispose();
        _vector = null;
    }
}
