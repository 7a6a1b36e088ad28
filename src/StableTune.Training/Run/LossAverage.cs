namespace StableTune.Training;

/// <summary>
/// The mean loss over at most one epoch's worth of batches: in later epochs the loss of batch i replaces that of batch i in
/// the epoch before. This is what sd-scripts shows as <c>avr_loss</c>: it does not jump with the order of the batches.
/// </summary>
internal sealed class LossAverage
{
    private readonly List<double> _losses = [];
    private double _sum;

    /// <summary>Takes in the loss of a batch.</summary>
    /// <param name="batchInEpoch">The number of the batch in its epoch, from 0.</param>
    /// <param name="loss">Its loss.</param>
    public void Add(int batchInEpoch, double loss)
    {
        while (_losses.Count <= batchInEpoch) _losses.Add(0);
        _sum += loss - _losses[batchInEpoch];
        _losses[batchInEpoch] = loss;
    }

    /// <summary>The mean; NaN before the first batch.</summary>
    public double Value => _losses.Count == 0 ? double.NaN : _sum / _losses.Count;

    public void Save(StateWriter writer) => writer.Numbers("average", _losses.Prepend(_sum));

    public void Load(StateReader reader)
    {
        var numbers = reader.Doubles("average");
        _sum = numbers.Count > 0 ? numbers[0] : throw reader.Fault("\"average\" is empty.");
        _losses.AddRange(numbers.Skip(1));
    }
}
