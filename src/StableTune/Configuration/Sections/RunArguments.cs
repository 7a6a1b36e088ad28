namespace StableTune.Configuration;

/// <summary>How long and how fast: steps, epochs, rates, seed.</summary>
internal static class RunArguments
{
    public static OptionSection Section { get; } = new("Training run",
    [
        new("max_train_steps", OptionKind.Integer, "Optimizer steps") { Default = 1600 },
        new("max_train_epochs", OptionKind.Integer, "Passes over all images; wins over max_train_steps"),
        new("test_steps", OptionKind.Integer, "Makes it a trial run of so many steps; -1 for none (sd-trainer)") { Default = -1 },
        new("gradient_accumulation_steps", OptionKind.Integer, "Batches whose gradients make one step")
        {
            Default = 1, Apply = (builder, value) => builder.WithGradientAccumulation((int)value),
            Write = plan => plan.GradientAccumulation,
        },
        new("seed", OptionKind.Long, "Seeds every random stream; drawn, told and stored when not given") { Write = plan => plan.Seed },
        new("learning_rate", OptionKind.Number, "Rate of every part that has none of its own")
        {
            Default = 2e-6, Apply = (builder, value) => builder.WithLearningRate((double)value), Write = plan => plan.LearningRate,
        },
        new("scale_lr", OptionKind.Flag, "Multiply every rate by the images that one step sees (diffusers, ppdiffusers)")
        {
            Apply = (builder, value) => builder.WithScaledLearningRate((bool)value), Write = plan => plan.ScaleLearningRate,
        },
        new("max_grad_norm", OptionKind.Number, "The norm to which gradients are clipped; 0 turns it off")
        {
            Default = 1.0, Apply = (builder, value) => builder.WithMaxGradientNorm((double)value is 0 ? null : (double)value),
            Write = plan => plan.MaxGradientNorm ?? 0,
        },
        new("train_unet", OptionKind.Flag, "Train the UNet (sd-trainer); of no matter to adapters") { Default = true },
        new("up_only", OptionKind.Flag, "Train of the UNet its up blocks only (sd-trainer)")
        {
            Apply = (builder, value) => builder.Change(plan => plan with { UpBlocksOnly = (bool)value }),
            Write = plan => plan.UpBlocksOnly,
        },
    ], Assemble)
    {
        Write = writer =>
        {
            writer.Write(writer.Plan.Length.ToString()!.EndsWith("epochs", StringComparison.Ordinal) ? "max_train_epochs"
                : "max_train_steps", writer.Plan.Length.Count);
            writer.Write("test_steps", writer.Plan.TestSteps);
        },
    };

    private static void Assemble(RunDraft draft)
    {
        var (values, builder) = (draft.Values, draft.Builder);
        var (steps, epochs) = (values.Find("max_train_steps"), values.Get<int>("max_train_epochs"));
        if (epochs is not null && steps is not null)
            values.Notes.Add($"{steps.Origin}: max_train_steps is {steps.Value}: it is not looked at, because "
                + $"max_train_epochs is {epochs}.");
        builder.For(epochs is { } count ? TrainingLength.Epochs(count)
            : TrainingLength.Steps(values.Get<int>("max_train_steps")!.Value));
        if (values.Get<int>("test_steps") is > 0 and var test) builder.TestRun(test);
        var seed = values.Get<long>("seed");
        if (seed is null && ProcessOptions.FromEnvironment() is not null)
            values.Fault("seed", "several processes were started, and each would draw another one", "give one: seed = 42");
        if (seed is null)
            values.Notes.Add($"seed was not given: {seed = System.Security.Cryptography.RandomNumberGenerator.GetInt32(int.MaxValue)} was "
                + "drawn. Give it to repeat the run.");
        builder.WithSeed(seed!.Value);
    }
}
