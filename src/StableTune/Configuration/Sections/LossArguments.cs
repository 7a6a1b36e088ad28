using StableTune.Losses;

namespace StableTune.Configuration;

/// <summary>The loss and its weightings, which multiply in the order of the reference.</summary>
internal static class LossArguments
{
    public static OptionSection Section { get; } = new("Loss",
    [
        new("loss_type", OptionKind.Text, "The loss by name: l2, l1, huber, smooth_l1, log_cosh, mixed") { Default = "l2" },
        new("loss_args", OptionKind.Texts, "Arguments of the loss, each as key=value: mse=0.5 mae=0.5 log_cosh=0 (mixed)"),
        new("huber_schedule", OptionKind.Text, "How its threshold follows the timesteps: constant, exponential, snr") { Default = "snr" },
        new("huber_c", OptionKind.Number, "The threshold") { Default = 0.1 },
        new("huber_scale", OptionKind.Number, "A factor on the threshold") { Default = 1.0 },
        new("squared_masks", OptionKind.Flag, "Masks act on prediction and target, so that their squares count (sd-trainer)"),
        new("min_snr_gamma", OptionKind.Number, "Weigh by the signal-to-noise ratio, cut at this value; 5 is customary"),
        new("scale_v_pred_loss_like_noise_pred", OptionKind.Flag, "Weigh a velocity loss as one of noise"),
        new("v_pred_like_loss", OptionKind.Number, "Add a loss like that of velocity, with this weight"),
        new("debiased_estimation_loss", OptionKind.Flag, "Weigh by the inverse root of the signal-to-noise ratio"),
        new("p2_gamma", OptionKind.Number, "Weigh by P2 with this strength; 1 is customary"),
        new("p2_k", OptionKind.Number, "What P2 adds to the signal-to-noise ratio") { Default = 1.0 },
    ], Assemble)
    {
        Write = Write,
    };

    private static void Assemble(RunDraft draft)
    {
        var values = draft.Values;
        var loss = values.Try("loss_type", "choose another, or register it in RunCatalogs.Losses",
            () => RunCatalogs.Create(draft.Catalogs.Losses, values.Text("loss_type")!));
        string[] hubers = ["huber_schedule", "huber_c", "huber_scale"];
        if (loss is PseudoHuberLoss huber)
        {
            var schedule = values.Try("huber_schedule", "choose another", () => HuberSchedule.Parse(values.Text("huber_schedule")!));
            loss = huber with
            {
                C = values.Get<double>("huber_c")!.Value, Scale = values.Get<double>("huber_scale")!.Value,
                Schedule = schedule ?? huber.Schedule,
            };
        }
        else
        {
            foreach (var given in hubers.Select(values.Find).OfType<OptionValue>().Where(given => !given.Option.IsDefault(given.Value)))
                values.Notes.Add($"{given.Origin}: {given.Option.Name} is {RunOption.Shown(given.Value)}: it is not looked at, because "
                    + $"loss_type is {values.Text("loss_type")}.");
        }

        if (loss is not null && values.Texts("loss_args") is { Length: > 0 } arguments)
            loss = values.Try("loss_args", "leave it out, or correct it",
                () => RecordArguments.With(loss, PythonLiteral.Arguments(arguments)));
        if (loss is not null) draft.Builder.WithLoss(loss);
        Weightings(draft);
    }

    private static void Weightings(RunDraft draft)
    {
        var values = draft.Values;
        var builder = draft.Builder;
        if (values.Flag("squared_masks"))
            builder.Change(plan => plan with { Loss = plan.Loss with { Masks = plan.Loss.Masks with { Squared = true } } });
        if (values.Get<double>("min_snr_gamma") is { } gamma and not 0) builder.WithMinSnr(gamma);
        if (values.Flag("scale_v_pred_loss_like_noise_pred")) builder.WithVelocityLossScaledLikeNoise();
        if (values.Get<double>("v_pred_like_loss") is { } like and not 0) builder.WithVelocityLikeLoss(like);
        if (values.Flag("debiased_estimation_loss")) builder.WithDebiasedEstimation();
        if (values.Get<double>("p2_gamma") is { } strength and not 0) builder.WithP2Weighting(strength, values.Get<double>("p2_k")!.Value);
        else if (values.Find("p2_k") is { } idle && !idle.Option.IsDefault(idle.Value))
            values.Notes.Add($"{idle.Origin}: p2_k is not looked at without p2_gamma.");
    }

    private static void Write(RunWriter writer)
    {
        var loss = writer.Plan.Loss;
        if (writer.Catalogs.Losses.Names.FirstOrDefault(name => writer.Catalogs.Losses.Create(name).GetType() == loss.Loss.GetType())
            is not { } known)
        {
            writer.Refuse("TrainingPlan.Loss", loss.Loss);
            return;
        }

        writer.Write("loss_type", known);
        writer.Write("squared_masks", loss.Masks.Squared);
        if (loss.Loss is PseudoHuberLoss huber)
        {
            writer.Write("huber_schedule", huber.Schedule.Name);
            writer.Write("huber_c", huber.C);
            writer.Write("huber_scale", huber.Scale);
        }
        else if (writer.NameOf("TrainingPlan.Loss", writer.Catalogs.Losses, loss.Loss, out var arguments) is not null
            && arguments.Length > 0)
        {
            writer.Write("loss_args", arguments);
        }

        foreach (var weighting in loss.Weightings)
        {
            switch (weighting)
            {
                case MinSnrWeighting snr: writer.Write("min_snr_gamma", snr.Gamma); break;
                case ScaledVelocityWeighting: writer.Write("scale_v_pred_loss_like_noise_pred", true); break;
                case VelocityLikeWeighting like: writer.Write("v_pred_like_loss", like.Weight); break;
                case DebiasedWeighting: writer.Write("debiased_estimation_loss", true); break;
                case P2Weighting p2:
                    writer.Write("p2_gamma", p2.Gamma);
                    writer.Write("p2_k", p2.K);
                    break;
                default: writer.Refuse("TrainingPlan.Loss", weighting); break;
            }
        }
    }
}
