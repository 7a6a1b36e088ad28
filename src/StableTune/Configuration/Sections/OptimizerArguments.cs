using StableTune.Optimizers;

namespace StableTune.Configuration;

/// <summary>The optimizer, by the catalogue's names, with its arguments.</summary>
internal static class OptimizerArguments
{
    private static readonly string[] s_adam = ["adam_beta1", "adam_beta2", "adam_weight_decay", "adam_epsilon"];

    public static OptionSection Section { get; } = new("Optimizer",
    [
        new("optimizer_type", OptionKind.Text, "The optimizer by name, or \"Namespace.Type, Assembly\"") { Default = "AdamW" },
        new("use_8bit_adam", OptionKind.Flag, "The same as optimizer_type AdamW8bit"),
        new("use_lion_optimizer", OptionKind.Flag, "The same as optimizer_type Lion"),
        new("optimizer_args", OptionKind.Texts, "Arguments of the optimizer, each as key=value: weight_decay=0.1 betas=0.9,0.99"),
        new("adam_beta1", OptionKind.Number, "Adam's decay of the mean of gradients (ppdiffusers, diffusers)"),
        new("adam_beta2", OptionKind.Number, "Adam's decay of the mean of squared gradients (ppdiffusers, diffusers)"),
        new("adam_weight_decay", OptionKind.Number, "Adam's weight decay (ppdiffusers, diffusers)"),
        new("adam_epsilon", OptionKind.Number, "Adam's epsilon (ppdiffusers, diffusers)"),
        new("fused_backward_pass", OptionKind.Flag, "Step each parameter as soon as its gradient is there"),
        new("fused_optimizer_groups", OptionKind.Integer, "Groups that are stepped during the backward pass"),
    ], Assemble)
    {
        Write = writer =>
        {
            if (writer.Plan.FusedBackward is { } fused)
            {
                if (fused.Groups is null) writer.Write("fused_backward_pass", true);
                writer.Write("fused_optimizer_groups", fused.Groups);
            }

            if (writer.NameOf("optimizer_type", writer.Catalogs.Optimizers, writer.Plan.Optimizer, out var arguments) is not { } name)
                return;
            writer.Write("optimizer_type", name);
            if (arguments.Length > 0) writer.Write("optimizer_args", arguments);
        },
    };

    private static void Assemble(RunDraft draft)
    {
        var values = draft.Values;
        OptionValue[] said = [.. new[] { values.Find("use_8bit_adam") is { Value: true } eight ? eight : null,
            values.Find("use_lion_optimizer") is { Value: true } lion ? lion : null, values.Find("optimizer_type") }.OfType<OptionValue>()];
        if (said.Length > 1)
            values.Problems.Add(said[1].Problem($"{said[0].Option.Name} chooses an optimizer too ({said[0].Origin})", "keep one of them"));
        var chosenBy = said.FirstOrDefault()?.Option.Name ?? "optimizer_type";
        var name = chosenBy switch
        {
            "use_8bit_adam" => "AdamW8bit",
            "use_lion_optimizer" => "Lion",
            _ => values.Text("optimizer_type")!,
        };
        var options = values.Try(chosenBy, "choose another, or register it in RunCatalogs.Optimizers",
            () => RunCatalogs.Create(draft.Catalogs.Optimizers, Short(draft.Catalogs.Optimizers, name)));
        if (options is null) return;
        options = values.Try("optimizer_args", "leave it out, or correct it",
            () => RecordArguments.With(options, PythonLiteral.Arguments(values.Texts("optimizer_args"))));
        foreach (var adam in s_adam)
        {
            if (options is null || values.Find(adam) is not { } value) continue;
            var argument = adam["adam_".Length..] is "epsilon" ? "eps" : adam["adam_".Length..];
            options = values.Try(adam, "it is an option of AdamW: use optimizer_args for others", () =>
                RecordArguments.With(options, [new(argument, PythonLiteral.Write(value.Value))]));
        }

        if (options is null) return;
        options = Settled(options, values);
        draft.Builder.WithOptimizer(options);
        Fuse(draft, options);
    }

    /// <summary>What the reference sets itself, and says.</summary>
    private static OptimizerOptions Settled(OptimizerOptions options, OptionValues values)
    {
        var origin = values.Find("optimizer_type")?.Origin ?? values.Find("optimizer_args")?.Origin ?? "optimizer_type";
        var given = PythonLiteral.Arguments(values.Texts("optimizer_args"));
        switch (options)
        {
            case SGDNesterovOptions or SGDNesterov8bitOptions when !given.ContainsKey("momentum"):
                values.Notes.Add($"{origin}: optimizer_args has no momentum: it is 0.9.");
                return options;
            case AdaFactorOptions { WarmupInit: true, RelativeStep: false } factor:
                values.Notes.Add($"{values.Find("optimizer_args")!.Origin}: optimizer_args has warmup_init=True, which needs "
                    + "relative_step: it is True.");
                return factor with { RelativeStep = true };
            default: return options;
        }
    }

    private static void Fuse(RunDraft draft, OptimizerOptions options)
    {
        var values = draft.Values;
        var groups = values.Get<int>("fused_optimizer_groups");
        var asked = groups is not null ? "fused_optimizer_groups" : "fused_backward_pass";
        if (groups is null && !values.Flag(asked)) return;
        if (!options.StepsOneByOne)
            values.Fault(asked, $"{values.Text("optimizer_type")} looks at all parameters together",
                "use AdaFactor or AdamW8bit, or leave it out");
        draft.Builder.WithFusedBackward(groups);
    }

    /// <summary><c>torch.optim.AdamW</c> is <c>AdamW</c>.</summary>
    private static string Short(Catalog<OptimizerOptions> catalog, string name)
    {
        var last = name[(name.LastIndexOf('.') + 1)..];
        return !name.Contains(',', StringComparison.Ordinal) && catalog.Contains(last) ? last : name;
    }
}
