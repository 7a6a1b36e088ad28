using StableTune.Data;

namespace StableTune.Training;

/// <summary>A batch that several processes share: each has its own part of it, and all learn the loss of the whole.</summary>
internal sealed class ProcessStep(IBatchRunner own, IProcessGroup group) : IBatchRunner
{
    public IReadOnlyList<SampleReading> Samples => own.Samples;

    public double TryRun(Batch batch, int accumulation, Tensor? scale)
    {
        using var scope = NewDisposeScope();
        var loss = tensor(own.TryRun(batch, accumulation, scale), ScalarType.Float64).reshape(1);
        group.Sum(loss);
        return loss.item<double>();
    }

    public Tensor RunWithoutReading(Batch batch, int accumulation, Tensor? scale)
    {
        using var scope = NewDisposeScope();
        var loss = own.RunWithoutReading(batch, accumulation, scale).to(ScalarType.Float32).reshape(1);
        group.Sum(loss);
        return loss.reshape([]).alias().MoveToOuterDisposeScope();
    }
}
