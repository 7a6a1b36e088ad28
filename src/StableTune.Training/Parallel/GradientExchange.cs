using StableTune.Optimizers;
using StableTune.Trainables;

namespace StableTune.Training;

/// <summary>Where gradients of a step that was shared come together again.</summary>
internal interface IGradientExchange
{
    /// <summary>Adds up the gradients of all shares, in the parameters that are stepped.</summary>
    void Sum();

    /// <summary>Hands on what the step made of the weights, where they are not stepped by themselves.</summary>
    /// <param name="moment">The step.</param>
    void Spread(StepMoment moment);
}

/// <summary>The gradients of parameters as vectors: small ones lie together, so that hundreds of them cost a handful of copies.</summary>
internal sealed class FlatGradients
{
    /// <summary>A vector has no more numbers than this, unless one parameter alone has: 32 MiB.</summary>
    private const long MostNumbers = 1 << 23;

    private readonly Tensor[] _parameters;

    public FlatGradients(IEnumerable<Tensor> parameters) => _parameters = [.. parameters];

    public IReadOnlyList<Tensor> Parameters => _parameters;

    /// <summary>Whether each parameter has a gradient.</summary>
    public bool[] Present() => [.. _parameters.Select(parameter => parameter.grad is not null)];

    /// <summary>Gives parameters without a gradient one of zeros, where another share has one.</summary>
    public void Complete(bool[] needed)
    {
        for (var i = 0; i < _parameters.Length; i++)
            if (needed[i] && _parameters[i].grad is null) _parameters[i].grad = zeros_like(_parameters[i]);
    }

    /// <summary>Places of parameters whose numbers make one vector.</summary>
    public IEnumerable<int[]> Chunks(bool[] needed)
    {
        List<int> chunk = [];
        var numbers = 0L;
        for (var i = 0; i < _parameters.Length; i++)
        {
            if (!needed[i]) continue;
            if (chunk.Count > 0 && (numbers + _parameters[i].numel() > MostNumbers || !SamePlace(chunk[0], i)))
            {
                yield return [.. chunk];
                chunk.Clear();
                numbers = 0;
            }

            chunk.Add(i);
            numbers += _parameters[i].numel();
        }

        if (chunk.Count > 0) yield return [.. chunk];
    }

    public Tensor[] Gradients(int[] places) => [.. places.Select(place => _parameters[place].grad!)];

    public Tensor[] Weights(int[] places) => [.. places.Select(place => _parameters[place])];

    private bool SamePlace(int one, int other) => _parameters[one].device_type == _parameters[other].device_type
        && _parameters[one].device_index == _parameters[other].device_index && _parameters[one].dtype == _parameters[other].dtype;
}

/// <summary>Adds up the gradients of several processes, each of which then takes the same step.</summary>
internal sealed class ProcessExchange(IProcessGroup group, IEnumerable<Tensor> counted) : IGradientExchange
{
    private readonly FlatGradients _gradients = new(counted);

    public void Sum()
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        var flags = tensor(_gradients.Present().Select(present => present ? 1f : 0f).ToArray());
        group.Sum(flags);
        bool[] needed = [.. flags.data<float>().ToArray().Select(count => count > 0)];
        _gradients.Complete(needed);
        foreach (var places in _gradients.Chunks(needed))
        {
            using var inChunk = NewDisposeScope();
            var gradients = _gradients.Gradients(places);
            var numbers = FlatTensors.Join(gradients);
            group.Sum(numbers);
            FlatTensors.PutBack(numbers, gradients);
        }
    }

    /// <summary>Gives all processes the weights of the first, bit for bit.</summary>
    public static void Share(IProcessGroup group, IEnumerable<Tensor> weights)
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        var counted = new FlatGradients(weights);
        foreach (var places in counted.Chunks([.. counted.Parameters.Select(_ => true)]))
        {
            using var inChunk = NewDisposeScope();
            var own = counted.Weights(places);
            // A copy: of one tensor alone the joined numbers are its own memory. The others add nothing to the first one's.
            var joined = FlatTensors.JoinAsTheyAre(own).detach();
            var numbers = joined.dtype == ScalarType.Float64 ? joined.clone() : joined.to(ScalarType.Float32, copy: true);
            if (group.Rank != 0) numbers.zero_();
            group.Sum(numbers);
            FlatTensors.PutBack(numbers, own);
        }
    }

    /// <summary>Every process has stepped its own, with the same bits.</summary>
    public void Spread(StepMoment moment) { }
}
