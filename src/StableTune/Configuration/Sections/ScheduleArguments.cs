using StableTune.Schedules;

namespace StableTune.Configuration;

/// <summary>The learning-rate schedule, by the catalogue's names.</summary>
internal static class ScheduleArguments
{
    /// <summary>Options that only some schedules have, with the properties that may hold them.</summary>
    private static readonly (string Option, string[] Properties)[] s_ofSome =
    [
        ("lr_decay_steps", ["Decay", "DecaySteps"]), ("lr_scheduler_num_cycles", ["Cycles", "NumCycles"]),
        ("lr_scheduler_power", ["Power"]), ("lr_scheduler_timescale", ["Timescale", "TimeScale"]),
        ("lr_scheduler_min_lr_ratio", ["MinRatio", "MinLrRatio", "MinRateRatio", "MinimumRatio"]),
    ];

    public static OptionSection Section { get; } = new("Learning-rate schedule",
    [
        new("lr_scheduler", OptionKind.Text, "The schedule by name") { Default = "constant" },
        new("lr_warmup_steps", OptionKind.StepsOrPart, "Steps, or part of all steps, in which the rate rises")
        {
            Default = default(Warmup),
        },
        new("lr_decay_steps", OptionKind.StepsOrPart, "Steps, or part, in which the rate falls (warmup_stable_decay)"),
        new("lr_scheduler_num_cycles", OptionKind.Number, "Cycles (cosine_with_restarts and others)")
        {
            Default = 1.0, Aliases = ["lr_num_cycles"],
        },
        new("lr_scheduler_power", OptionKind.Number, "The exponent (polynomial)") { Default = 1.0, Aliases = ["lr_power"] },
        new("lr_scheduler_timescale", OptionKind.Integer, "The time scale (inverse_sqrt)"),
        new("lr_scheduler_min_lr_ratio", OptionKind.Number, "The smallest factor (cosine_with_min_lr, warmup_stable_decay)"),
        new("lr_scheduler_type", OptionKind.Text,
            "A schedule by the name of its class: StepLR, a registered name, or \"Namespace.Type, Assembly\""),
        new("lr_scheduler_args", OptionKind.Texts, "Further arguments of the schedule, each as key=value") { Aliases = ["scheduler_args"] },
    ], Assemble)
    {
        Write = writer =>
        {
            if (writer.NameOf("lr_scheduler", writer.Catalogs.Schedules, writer.Plan.Schedule, out var arguments) is not { } name) return;
            writer.Write("lr_scheduler", name);
            // Rise and fall are written by their own options; what else there is goes by name.
            foreach (var (option, property) in new[] { ("lr_warmup_steps", "Warmup"), ("lr_decay_steps", "Decay") })
                if (writer.Plan.Schedule.GetType().GetProperty(property)?.GetValue(writer.Plan.Schedule) is Warmup length
                    && length != default)
                    writer.Write(option, length);
            string[] others = [.. arguments.Where(argument => !argument.StartsWith("warmup=", StringComparison.Ordinal)
                && !argument.StartsWith("decay=", StringComparison.Ordinal))];
            if (others.Length > 0) writer.Write("lr_scheduler_args", others);
        },
    };

    private static void Assemble(RunDraft draft)
    {
        var values = draft.Values;
        var type = values.Find("lr_scheduler_type");
        var (option, name) = type is null ? ("lr_scheduler", values.Text("lr_scheduler")!) : ("lr_scheduler_type", (string)type.Value);
        if (type is not null && values.Find("lr_scheduler") is { } both)
            values.Notes.Add($"{both.Origin}: lr_scheduler is not looked at, because lr_scheduler_type is \"{name}\".");
        var schedule = values.Try(option, "choose another, or register it in RunCatalogs.Schedules",
            () => OfAdaFactor(name) ?? RunCatalogs.Create(draft.Catalogs.Schedules, Short(draft.Catalogs.Schedules, name)));
        if (schedule is not null) schedule = WithWarmup(values, schedule, name);
        foreach (var (given, properties) in s_ofSome)
        {
            if (values.Find(given) is not { } value || schedule is null) continue;
            if (RecordArguments.TryWith(schedule, value.Value, properties) is { } changed) schedule = changed;
            else if (!value.Option.IsDefault(value.Value))
                values.Notes.Add($"{value.Origin}: {given} is {RunOption.Shown(value.Value)}: it is not looked at, because the schedule "
                    + $"{name} has no such thing.");
        }

        if (schedule is not null)
            schedule = values.Try("lr_scheduler_args", "leave it out, or correct it",
                () => RecordArguments.With(schedule, PythonLiteral.Arguments(values.Texts("lr_scheduler_args"))));
        if (schedule is not null) draft.Builder.WithSchedule(schedule);
    }

    /// <summary><c>adafactor:1e-3</c> has the rate that is told before the first step; null for another name.</summary>
    private static AdaFactorScheduleOptions? OfAdaFactor(string name)
    {
        const string prefix = "adafactor:";
        if (!name.StartsWith(prefix, StringComparison.Ordinal)) return null;
        return PythonLiteral.Read(name[prefix.Length..]) is double rate ? new AdaFactorScheduleOptions { InitialRate = rate }
            : throw new FormatException($"\"{ShortText.Of(name)}\" has no number after the colon");
    }

    private static LrScheduleOptions WithWarmup(OptionValues values, LrScheduleOptions schedule, string name)
    {
        if (values.Find("lr_warmup_steps") is not { } warmup || warmup.Value.Equals(default(Warmup))) return schedule;
        if (RecordArguments.TryWith(schedule, warmup.Value, "Warmup", "WarmupSteps") is { } rising) return rising;
        // A part of a short run that comes to no step.
        if (!values.Has("max_train_epochs") && ((Warmup)warmup.Value).In(values.Get<int>("max_train_steps")!.Value) == 0) return schedule;
        values.Problems.Add(warmup.Problem($"the schedule {name} has no warm-up",
            "set it to 0, or choose a schedule that rises, such as constant_with_warmup"));
        return schedule;
    }

    /// <summary><c>torch.optim.lr_scheduler.StepLR</c> is <c>StepLR</c>.</summary>
    private static string Short(Catalog<LrScheduleOptions> catalog, string name)
    {
        var last = name[(name.LastIndexOf('.') + 1)..];
        return !name.Contains(',', StringComparison.Ordinal) && catalog.Contains(last) ? last : name;
    }
}
