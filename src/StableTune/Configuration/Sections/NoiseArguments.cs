using StableTune.Diffusion;

namespace StableTune.Configuration;

/// <summary>Noise and timesteps.</summary>
internal static class NoiseArguments
{
    /// <summary>Options that only some distributions have: the option, the kind of source, and its property.</summary>
    private static readonly (string Option, Type Kind, string Property)[] s_ofSome =
    [
        ("logit_mean", typeof(LogitNormalTimesteps), nameof(LogitNormalTimesteps.Mean)),
        ("logit_std", typeof(LogitNormalTimesteps), nameof(LogitNormalTimesteps.Std)),
        ("mode_scale", typeof(ModeTimesteps), nameof(ModeTimesteps.Scale)),
        ("sigmoid_scale", typeof(SigmoidTimesteps), nameof(SigmoidTimesteps.Scale)),
    ];

    public static OptionSection Section { get; } = new("Noise and timesteps",
    [
        new("noise_offset", OptionKind.Number, "A common offset for each sample and channel; 0.05 to 0.1 is customary"),
        new("noise_offset_random_strength", OptionKind.Flag, "Its strength is drawn between 0 and the value"),
        new("adaptive_noise_scale", OptionKind.Number, "Adds to the offset by the latents' mean; needs noise_offset"),
        new("multires_noise_iterations", OptionKind.Integer, "Levels of pyramid noise; 6 to 10 is customary"),
        new("multires_noise_discount", OptionKind.Number, "How strong each level is in parts of the one before") { Default = 0.3 },
        new("ip_noise_gamma", OptionKind.Number, "More noise on the input than in the target; 0.1 is customary"),
        new("ip_noise_gamma_random_strength", OptionKind.Flag, "Its strength is drawn between 0 and the value"),
        new("min_timestep", OptionKind.Integer, "The first timestep, 0 to 999") { Default = 0 },
        new("max_timestep", OptionKind.Integer, "The end of the timesteps, which is excluded, 1 to 1000") { Default = 1000 },
        new("step_range", OptionKind.Pair, "The same as parts, as in 0.0,1.0 (sd-trainer)") { Default = (0.0, 1.0) },
        new("zero_terminal_snr", OptionKind.Flag, "Change the schedule so that the last step is noise alone")
        {
            Apply = (builder, value) => builder.WithZeroTerminalSnr((bool)value), Write = plan => plan.ZeroTerminalSnr,
        },
        new("timestep_sampling", OptionKind.Text,
            "How timesteps are distributed: uniform, logit_normal, sigmoid, mode, cosmap, inverted_parabola, beta")
        {
            Default = "uniform",
        },
        new("timestep_sampling_args", OptionKind.Texts, "Arguments of the distribution, each as key=value: alpha=2 beta=1 (beta)"),
        new("logit_mean", OptionKind.Number, "The mean (logit_normal)") { Default = 0.0 },
        new("logit_std", OptionKind.Number, "The spread (logit_normal)") { Default = 1.0 },
        new("mode_scale", OptionKind.Number, "The scale (mode)") { Default = 1.29 },
        new("sigmoid_scale", OptionKind.Number, "The scale (sigmoid)") { Default = 1.0 },
        new("weighting_scheme", OptionKind.Text, "Of other model families (Stable Diffusion 3)")
        {
            Default = "none", Refusal = "it belongs to other model families; timestep_sampling distributes timesteps",
        },
    ], Assemble)
    {
        Write = Write,
    };

    private static void Assemble(RunDraft draft)
    {
        Noise(draft);
        Timesteps(draft);
    }

    /// <remarks>A strength of 0 is none, as in the reference.</remarks>
    private static void Noise(RunDraft draft)
    {
        var (values, builder) = (draft.Values, draft.Builder);
        if (values.Get<double>("noise_offset") is { } offset and not 0)
            builder.WithNoiseOffset(offset, values.Get<double>("adaptive_noise_scale"), values.Flag("noise_offset_random_strength"));
        else Idle(values, "noise_offset", "noise_offset_random_strength");
        if (values.Get<int>("multires_noise_iterations") is { } levels and not 0)
            builder.WithMultiResolutionNoise(levels, values.Get<double>("multires_noise_discount")!.Value);
        else Idle(values, "multires_noise_iterations", "multires_noise_discount");
        if (values.Get<double>("ip_noise_gamma") is { } gamma and not 0)
            builder.WithInputPerturbation(gamma, values.Flag("ip_noise_gamma_random_strength"));
        else Idle(values, "ip_noise_gamma", "ip_noise_gamma_random_strength");
    }

    private static void Idle(OptionValues values, string without, string name)
    {
        if (values.Find(name) is { } idle && !idle.Option.IsDefault(idle.Value))
            values.Notes.Add($"{idle.Origin}: {name} is not looked at without {without}.");
    }

    private static void Timesteps(RunDraft draft)
    {
        var values = draft.Values;
        var name = values.Text("timestep_sampling")!;
        var catalog = draft.Catalogs.Timesteps;
        // "logit-normal" and "inverted parabola" are understood.
        if (name.Replace('-', '_').Replace(' ', '_') is var spelled && catalog.Contains(spelled)) name = spelled;
        var source = values.Try("timestep_sampling", "choose another, or register it in RunCatalogs.Timesteps",
            () => RunCatalogs.Create(catalog, name));
        foreach (var (option, kind, property) in s_ofSome)
        {
            if (values.Find(option) is not { } given) continue;
            if (source?.GetType() == kind) source = RecordArguments.TryWith(source, given.Value, property);
            else if (!given.Option.IsDefault(given.Value))
                values.Notes.Add($"{given.Origin}: {option} is not looked at, because timestep_sampling is {name}.");
        }

        if (source is not null && values.Texts("timestep_sampling_args") is { Length: > 0 } arguments)
            source = values.Try("timestep_sampling_args", "leave it out, or correct it",
                () => RecordArguments.With(source, PythonLiteral.Arguments(arguments)));
        var range = Range(values);
        if (source is null || range is not var (min, max)) return;
        if ((min, max) != (0, 1000))
        {
            var narrowed = RecordArguments.TryWith(source, (double)min, "Min") is { } from
                ? RecordArguments.TryWith(from, (double)max, "Max") : null;
            if (narrowed is null)
                values.Fault("timestep_sampling", "this distribution has no range of timesteps", "leave the range out, or choose another");
            source = narrowed ?? source;
        }

        draft.Builder.WithTimesteps(source);
    }

    /// <summary>The timesteps that were asked for; null where they cannot be.</summary>
    private static (int Min, int Max)? Range(OptionValues values)
    {
        var (min, max) = (values.Get<int>("min_timestep")!.Value, values.Get<int>("max_timestep")!.Value);
        if (values.Find("step_range") is { Value: (double from, double to) } range)
        {
            if (values.Has("min_timestep") || values.Has("max_timestep"))
                values.Problems.Add(range.Problem("min_timestep and max_timestep say the same", "give one or the other"));
            if (from >= 0 && from < to && to <= 1) return ((int)(from * 1000), Math.Max((int)(from * 1000) + 1, (int)(to * 1000)));
            values.Problems.Add(range.Problem("parts lie in 0 to 1, the first below the second", "give 0.0,1.0 for all timesteps"));
            return null;
        }

        if (min == max && min is >= 0 and < 1000 && values.Find("max_timestep") is { } same)
            values.Problems.Add(same.Problem($"min_timestep is {min} too, and the end of the range is excluded",
                $"give {min + 1} to train that timestep alone, as sd-scripts does for equal values"));
        else if (min < 0 || max > 1000 || min >= max)
            values.Fault(values.Has("max_timestep") ? "max_timestep" : "min_timestep",
                $"timesteps from {min} to below {max} are none of 0 to 1000", "give 0 and 1000 for all timesteps");
        else return (min, max);
        return null;
    }

    private static void Write(RunWriter writer)
    {
        if (writer.NameOf("TrainingPlan.Timesteps", writer.Catalogs.Timesteps, writer.Plan.Timesteps, out var arguments) is { } name)
        {
            writer.Write("timestep_sampling", name);
            string[] others = [.. arguments.Where(argument => !argument.StartsWith("min=", StringComparison.Ordinal)
                && !argument.StartsWith("max=", StringComparison.Ordinal))];
            if (others.Length > 0) writer.Write("timestep_sampling_args", others);
            if (writer.Plan.Timesteps.Range is var (min, max))
            {
                writer.Write("min_timestep", min);
                writer.Write("max_timestep", max);
            }
        }

        var source = writer.Plan.Noise;
        for (; source is NoiseLayer layer; source = layer.Inner) Write(writer, layer);
        if (source is not NormalNoise) writer.Refuse("TrainingPlan.Noise", source);
    }

    private static void Write(RunWriter writer, NoiseLayer layer)
    {
        switch (layer)
        {
            case OffsetNoise offset:
                writer.Write("noise_offset", offset.Offset);
                writer.Write("noise_offset_random_strength", offset.RandomStrength);
                writer.Write("adaptive_noise_scale", offset.AdaptiveScale);
                break;
            case MultiResolutionNoise levels:
                writer.Write("multires_noise_iterations", levels.Iterations);
                writer.Write("multires_noise_discount", levels.Discount);
                break;
            case InputPerturbation more:
                writer.Write("ip_noise_gamma", more.Gamma);
                writer.Write("ip_noise_gamma_random_strength", more.RandomStrength);
                break;
        }
    }
}
