using StableTune.Optimizers;

namespace StableTune.Training;

/// <summary>The moving average of what is trained, in float32. Small tensors lie together in one vector, so that hundreds of them cost a
/// handful of operators.</summary>
internal sealed class WeightAverage : IResumable, IDisposable
{
    /// <summary>A vector has no more elements than this, unless one parameter alone has: 32 MiB.</summary>
    private const long MostElements = 1 << 23;

    private const string Updates = "updates";

    private readonly EmaOptions _options;
    private readonly List<Part> _parts = [];
    private int _updates;

    /// <summary>An average of parameters, which is the parameters themselves until the first update.</summary>
    public WeightAverage(EmaOptions options, IEnumerable<NamedParameter> parameters)
    {
        _options = options;
        using var scope = NewDisposeScope();
        foreach (var device in parameters.GroupBy(parameter => (parameter.Value.device_type, parameter.Value.device_index)))
        {
            List<NamedParameter> members = [];
            foreach (var parameter in device)
            {
                if (members.Count > 0 && Elements(members) + parameter.Value.numel() > MostElements) Add();
                members.Add(parameter);
            }

            Add();

            void Add()
            {
                var place = options.OnHost ? CPU : members[0].Value.device;
                _parts.Add(new Part([.. members], zeros([Elements(members)], ScalarType.Float32, place).DetachFromDisposeScope()));
                members.Clear();
            }
        }
    }

    public string Name => "ema";

    public bool TensorsLastUntilUpdate => true;

    /// <summary>Whether there is an average yet.</summary>
    public bool HasAny => _updates > 0;

    /// <summary>Takes in the weights after a step that was taken.</summary>
    /// <param name="step">Steps done, this one included.</param>
    public void AfterStep(int step)
    {
        if (step <= _options.UpdateAfterStep || (step - _options.UpdateAfterStep - 1) % _options.EveryNSteps != 0) return;
        using var frozen = no_grad();
        var decay = _options.DecayOf(_updates);
        foreach (var part in _parts)
        {
            using var scope = NewDisposeScope();
            var now = FlatTensors.Join(part.Weights).to(part.Average.device);
            // What is multiplied by 0 may be no number.
            if (decay == 0) part.Average.copy_(now);
            else part.Average.mul_(decay).add_(now, 1 - decay);
        }

        _updates++;
    }

    /// <summary>Puts the average in the place of the weights until the result is disposed; null where there is none yet.</summary>
    public IDisposable? Use()
    {
        if (!HasAny) return null;
        var kept = new Kept(this);
        PutIntoWeights();
        return kept;
    }

    /// <summary>Puts the average in the place of the weights for good.</summary>
    private void PutIntoWeights()
    {
        if (!HasAny) return;
        using var frozen = no_grad();
        foreach (var part in _parts)
        {
            using var scope = NewDisposeScope();
            FlatTensors.PutBack(part.Average, part.Weights);
        }
    }

    public void Save(StateWriter writer)
    {
        writer.Number(Updates, (long)_updates);
        foreach (var (name, value) in Named()) writer.Tensor(name, value);
    }

    public void Load(StateReader reader)
    {
        _updates = (int)reader.Long(Updates);
        using var scope = NewDisposeScope();
        foreach (var (name, value) in Named()) reader.CopyTo(name, value);
    }

    public void Dispose() => _parts.ForEach(part => part.Average.Dispose());

    private static long Elements(IEnumerable<NamedParameter> parameters) => parameters.Sum(parameter => parameter.Value.numel());

    /// <summary>Views of the average by the names of the parameters.</summary>
    private IEnumerable<(string Name, Tensor Value)> Named() => _parts.SelectMany(part =>
        part.Average.split([.. part.Members.Select(parameter => parameter.Value.numel())])
            .Zip(part.Members, (piece, parameter) => (parameter.Name, piece.view(parameter.Value.shape))));

    private sealed record Part(NamedParameter[] Members, Tensor Average)
    {
        public Tensor[] Weights => [.. Members.Select(parameter => parameter.Value)];
    }

    /// <summary>The weights that are trained, kept where the average lies while it is in their place.</summary>
    private sealed class Kept : IDisposable
    {
        private readonly List<(Tensor Weight, Tensor Value)> _weights;

        public Kept(WeightAverage average)
        {
            using var scope = NewDisposeScope();
            _weights = [.. average._parts.SelectMany(part => part.Weights.Select(weight =>
                (weight, weight.detach().to(part.Average.device, copy: true).DetachFromDisposeScope())))];
        }

        public void Dispose()
        {
            using var frozen = no_grad();
            foreach (var (weight, value) in _weights)
            {
                weight.copy_(value);
                value.Dispose();
            }

            _weights.Clear();
        }
    }
}
