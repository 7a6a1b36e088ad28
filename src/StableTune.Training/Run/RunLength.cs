namespace StableTune.Training;

/// <summary>How long a run is.</summary>
/// <param name="TotalSteps">Optimizer steps in all, those of the run that is resumed included.</param>
/// <param name="TotalEpochs">Epochs in all; the last may be cut short.</param>
/// <param name="BatchesPerEpoch">Batches in each epoch.</param>
internal sealed record RunLength(int TotalSteps, int TotalEpochs, int BatchesPerEpoch)
{
    public static RunLength Of(TrainingPlan plan, Data.TrainingDataset? dataset)
    {
        if (dataset is null)
        {
            // Without images there are no epochs: all steps are one.
            var steps = plan.EffectiveLength.TotalSteps(1);
            return new RunLength(steps, 1, checked(steps * plan.GradientAccumulation));
        }

        var stepsPerEpoch = plan.StepsPerEpoch(dataset);
        return new RunLength(plan.EffectiveLength.TotalSteps(stepsPerEpoch), plan.EffectiveLength.TotalEpochs(stepsPerEpoch),
            dataset.BatchesPerEpoch);
    }
}
