namespace StableTune.Configuration;

/// <summary>What a step does beside the optimizer: clipping by value, steps that are not finite, a moving average.</summary>
internal static class StepArguments
{
    private static readonly EmaOptions s_usual = new();

    private static readonly string[] s_average =
    [
        "ema_decay", "ema_min_decay", "use_ema_warmup", "ema_inv_gamma", "ema_power", "ema_update_after_step", "ema_every_n_steps",
        "offload_ema", "save_ema_and_weights",
    ];

    public static OptionSection Section { get; } = new("Steps and averages",
    [
        new("max_grad_value", OptionKind.Number, "The value to which every number of a gradient is clipped")
        {
            Apply = (builder, value) => builder.WithMaxGradientValue((double)value), Write = plan => plan.MaxGradientValue,
        },
        new("skip_non_finite_steps", OptionKind.Integer, "Leave out so many steps in a row that are not finite, before the run ends")
        {
            Apply = (builder, value) => builder.SkipNonFiniteSteps((int)value),
            Write = plan => plan.NonFinite.Skip ? plan.NonFinite.MostInARow : null,
        },
        new("use_ema", OptionKind.Flag, "Keep a moving average of what is trained, for samples and results (diffusers)"),
        new("ema_decay", OptionKind.Number, "The average's largest decay") { Default = s_usual.Decay },
        new("ema_min_decay", OptionKind.Number, "The average's smallest decay") { Default = 0.0 },
        new("use_ema_warmup", OptionKind.Flag, "Let the decay grow by ema_inv_gamma and ema_power (diffusers)"),
        new("ema_inv_gamma", OptionKind.Number, "Updates by which use_ema_warmup measures time") { Default = 1.0 },
        new("ema_power", OptionKind.Number, "The power of use_ema_warmup") { Default = 2.0 / 3 },
        new("ema_update_after_step", OptionKind.Integer, "Steps before averaging begins") { Default = 0 },
        new("ema_every_n_steps", OptionKind.Integer, "Steps from one update of the average to the next") { Default = 1 },
        new("offload_ema", OptionKind.Flag, "Keep the average in host memory (diffusers)"),
        new("save_ema_and_weights", OptionKind.Flag, "Save the weights too; the average is then called name-ema"),
    ], Assemble)
    {
        Write = writer =>
        {
            if (writer.Plan.Ema is not { } ema) return;
            writer.Write("use_ema", true);
            writer.Write("ema_decay", ema.Decay);
            writer.Write("ema_min_decay", ema.LeastDecay);
            if (ema.Warmup is PowerEmaWarmup power)
            {
                writer.Write("use_ema_warmup", true);
                writer.Write("ema_inv_gamma", power.Gamma);
                writer.Write("ema_power", power.Power);
            }
            else if (ema.Warmup is not PlainEmaWarmup) writer.Refuse($"{nameof(EmaOptions)}.{nameof(EmaOptions.Warmup)}", ema.Warmup);

            writer.Write("ema_update_after_step", ema.UpdateAfterStep);
            writer.Write("ema_every_n_steps", ema.EveryNSteps);
            writer.Write("offload_ema", ema.OnHost);
            writer.Write("save_ema_and_weights", ema.SaveBoth);
        },
    };

    private static void Assemble(RunDraft draft)
    {
        var values = draft.Values;
        foreach (var name in s_average)
            if (values.Find(name) is { Value: not false } idle && !values.Flag("use_ema"))
                values.Problems.Add(idle.Problem("no average is kept", "set use_ema, or leave it out"));
        foreach (var name in new[] { "ema_inv_gamma", "ema_power" })
            if (values.Find(name) is { } shape && values.Flag("use_ema") && !values.Flag("use_ema_warmup"))
                values.Problems.Add(shape.Problem("it belongs to use_ema_warmup", "set use_ema_warmup, or leave it out"));
        if (!values.Flag("use_ema")) return;
        draft.Builder.WithEma(new EmaOptions
        {
            Decay = values.Get<double>("ema_decay")!.Value, LeastDecay = values.Get<double>("ema_min_decay")!.Value,
            Warmup = !values.Flag("use_ema_warmup") ? new PlainEmaWarmup() : new PowerEmaWarmup
            {
                Gamma = values.Get<double>("ema_inv_gamma")!.Value, Power = values.Get<double>("ema_power")!.Value,
            },
            UpdateAfterStep = values.Get<int>("ema_update_after_step")!.Value, EveryNSteps = values.Get<int>("ema_every_n_steps")!.Value,
            OnHost = values.Flag("offload_ema"), SaveBoth = values.Flag("save_ema_and_weights"),
        });
    }
}
