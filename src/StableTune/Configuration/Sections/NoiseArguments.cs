namespace StableTune.Configuration;

/// <summary>Noise and timesteps.</summary>
internal static class NoiseArguments
{
    private const string NotYet = "StableTune draws plain normal noise; give a source of your own with WithNoise";

    public static OptionSection Section { get; } = new("Noise and timesteps",
    [
        new("noise_offset", OptionKind.Number, "A common offset for each sample and channel") { Refusal = NotYet },
        new("noise_offset_random_strength", OptionKind.Flag, "Its strength is drawn between 0 and the value") { Refusal = NotYet },
        new("adaptive_noise_scale", OptionKind.Number, "Adds to the offset by the latents' mean; needs noise_offset") { Refusal = NotYet },
        new("multires_noise_iterations", OptionKind.Integer, "Levels of pyramid noise") { Refusal = NotYet },
        new("multires_noise_discount", OptionKind.Number, "How much weaker each level is") { Default = 0.3, Refusal = NotYet },
        new("ip_noise_gamma", OptionKind.Number, "More noise on the input than in the target") { Refusal = NotYet },
        new("ip_noise_gamma_random_strength", OptionKind.Flag, "Its strength is drawn between 0 and the value") { Refusal = NotYet },
        new("min_timestep", OptionKind.Integer, "The first timestep, 0 to 999") { Default = 0 },
        new("max_timestep", OptionKind.Integer, "The end of the timesteps, which is excluded, 1 to 1000") { Default = 1000 },
        new("step_range", OptionKind.Pair, "The same as parts, as in 0.0,1.0 (sd-trainer)") { Default = (0.0, 1.0) },
        new("zero_terminal_snr", OptionKind.Flag, "Change the schedule so that the last step is noise alone")
        {
            Refusal = "the schedule is the model's own",
        },
        new("timestep_sampling", OptionKind.Text, "How timesteps are distributed") { Default = "uniform", Refusal = "they are uniform" },
        .. new[] { ("weighting_scheme", "none"), ("logit_mean", "0"), ("logit_std", "1"), ("mode_scale", "1.29") }.Select(row =>
            new RunOption(row.Item1, OptionKind.Text, "Of other model families (Stable Diffusion 3)")
            {
                Default = row.Item2, Refusal = "it belongs to other model families",
            }),
    ], Assemble)
    {
        Write = writer =>
        {
            switch (writer.Plan.Timesteps)
            {
                case UniformTimesteps uniform:
                    writer.Write("min_timestep", uniform.Min);
                    writer.Write("max_timestep", uniform.Max);
                    break;
                case var other:
                    writer.Refuse("TrainingPlan.Timesteps", other);
                    break;
            }

            if (writer.Plan.Noise is not NormalNoise) writer.Refuse("TrainingPlan.Noise", writer.Plan.Noise);
        },
    };

    private static void Assemble(RunDraft draft)
    {
        var values = draft.Values;
        var (min, max) = (values.Get<int>("min_timestep")!.Value, values.Get<int>("max_timestep")!.Value);
        if (values.Find("step_range") is { Value: (double from, double to) } range)
        {
            if (values.Has("min_timestep") || values.Has("max_timestep"))
                values.Problems.Add(range.Problem("min_timestep and max_timestep say the same", "give one or the other"));
            if (!(from >= 0 && from < to && to <= 1))
                values.Problems.Add(range.Problem("parts lie in 0 to 1, the first below the second", "give 0.0,1.0 for all timesteps"));
            else if ((from, to) != (0, 1)) draft.Builder.WithTimestepShare(from, to);
            return;
        }

        if (min == max && min is >= 0 and < 1000 && values.Find("max_timestep") is { } same)
            values.Problems.Add(same.Problem($"min_timestep is {min} too, and the end of the range is excluded",
                $"give {min + 1} to train that timestep alone, as sd-scripts does for equal values"));
        else if (min < 0 || max > 1000 || min >= max)
            values.Fault(values.Has("max_timestep") ? "max_timestep" : "min_timestep",
                $"timesteps from {min} to below {max} are none of 0 to 1000", "give 0 and 1000 for all timesteps");
        else if ((min, max) != (0, 1000)) draft.Builder.WithTimestepRange(min, max);
    }
}
