using StableTune.Adapters;
using StableTune.Trainables;

namespace StableTune.Configuration;

/// <summary>What is trained by <c>train-network</c>: an adapter by the name of its module.</summary>
internal static class AdapterArguments
{
    private const int UsualRank = 4;

    /// <summary>LLLite's networks take these too.</summary>
    private const RunScript Adapted = RunScript.Network | RunScript.ControlNet;

    public static OptionSection Section { get; } = new("Network",
    [
        new("network_module", OptionKind.Text, "The kind of adapter: networks.lora, lycoris.kohya ..., or \"Namespace.Type, Assembly\"")
        {
            Scripts = RunScript.Network,
        },
        new("network_dim", OptionKind.Integer, "The rank; 4 when not given") { Scripts = Adapted },
        new("network_alpha", OptionKind.Number, "The adapter acts alpha / rank times; 0 for the rank")
        {
            Default = 1.0, Scripts = Adapted,
        },
        new("network_dropout", OptionKind.Number, "How often an output of the first factor is left out") { Scripts = Adapted },
        new("network_weights", OptionKind.Text, "A file whose weights it begins with") { Scripts = Adapted },
        new("dim_from_weights", OptionKind.Flag, "Take ranks and alphas from network_weights") { Scripts = RunScript.Network },
        new("network_args", OptionKind.Texts, "Arguments of the module, each as key=value: conv_dim=4 algo=loha")
        {
            Scripts = RunScript.Network,
        },
        new("network_train_unet_only", OptionKind.Flag, "Adapters on the UNet only") { Scripts = RunScript.Network },
        new("network_train_text_encoder_only", OptionKind.Flag, "Adapters on the text encoders only") { Scripts = RunScript.Network },
        new("unet_lr", OptionKind.Number, "The rate of the UNet's adapters; 0 gives it none"),
        new("text_encoder_lr", OptionKind.Numbers, "The rate of the text encoders' adapters, one for all or one each; 0 gives none"),
        new("scale_weight_norms", OptionKind.Number, "The largest norm of an adapter; 1 is a start") { Scripts = RunScript.Network },
        new("base_weights", OptionKind.Texts, "Adapter files that are merged into the model before training"),
        new("base_weights_multiplier", OptionKind.Numbers, "How strongly each acts; 1 when not given"),
        new("network_train", OptionKind.Flag, "False applies network_weights without training them (sd-trainer)")
        {
            Default = true, Scripts = RunScript.Network,
        },
    ], Assemble)
    {
        Write = Write,
    };

    private static void Assemble(RunDraft draft)
    {
        var (values, builder) = (draft.Values, draft.Builder);
        BaseWeights(values, builder);
        var text = (double[]?)values.Find("text_encoder_lr")?.Value;
        if (text is { Length: > 2 })
            values.Fault("text_encoder_lr", "there are at most two text encoders", "give one rate, or two");
        builder.WithLearningRate(unet: values.Get<double>("unet_lr"), textEncoder: text?[0],
            secondTextEncoder: text is { Length: 2 } ? text[1] : null);
        if (!draft.Script.HasFlag(RunScript.Network)) return;
        var (unetOnly, textOnly) = (values.Flag("network_train_unet_only"), values.Flag("network_train_text_encoder_only"));
        if (unetOnly && textOnly)
            values.Fault("network_train_text_encoder_only", "network_train_unet_only is set too, so nothing would be trained",
                "keep one of them");
        else if (unetOnly) builder.TrainUNetOnly();
        else if (textOnly) builder.TrainTextEncoderOnly();
        if (Trainable(draft) is { } trainable) builder.WithTrainable(trainable);
    }

    private static AdapterTrainableOptions? Trainable(RunDraft draft)
    {
        var values = draft.Values;
        var (file, ofFile) = (values.Text("network_weights"), values.Flag("dim_from_weights"));
        if (ofFile && file is null)
            values.Fault("dim_from_weights", "there is no network_weights to take ranks from", "name the file, or give network_dim");
        if (ofFile && values.Find("network_dim") is { } dim)
            values.Problems.Add(dim.Problem("dim_from_weights takes it from the file", "leave one of them out"));
        if (values.Text("network_module") is not { } module)
        {
            values.Fault("network_module", "it says what kind of adapter is trained", "give networks.lora, or another module");
            return null;
        }

        var rank = values.Get<int>("network_dim") ?? UsualRank;
        var alpha = values.Get<double>("network_alpha")!.Value;
        var arguments = values.Try("network_args", "correct it", () => PythonLiteral.Arguments(values.Texts("network_args")));
        if (arguments is null) return null;
        var made = values.Try(values.Has("network_args") ? "network_args" : "network_module", "correct it", () => NetworkModules.Create(
            module, rank, alpha == 0 ? rank : alpha, values.Get<double>("network_dropout"), arguments, draft.Catalogs.Networks));
        return made is null ? null : made with
        {
            InitialWeights = file, RanksFromWeights = ofFile && file is not null, MaxNorm = values.Get<double>("scale_weight_norms"),
            Trained = values.Flag("network_train"),
        };
    }

    private static void BaseWeights(OptionValues values, TrainerBuilder builder)
    {
        var (files, multipliers) = (values.Texts("base_weights"), (double[]?)values.Find("base_weights_multiplier")?.Value ?? []);
        if (multipliers.Length > files.Length)
            values.Fault("base_weights_multiplier", $"there are {files.Length} file(s) in base_weights", "give at most one for each file");
        for (var i = 0; i < files.Length; i++) builder.WithBaseAdapter(files[i], i < multipliers.Length ? (float)multipliers[i] : 1f);
    }

    private static void Write(RunWriter writer)
    {
        var plan = writer.Plan;
        if (plan.BaseAdapters.Count > 0)
        {
            writer.Write("base_weights", plan.BaseAdapters.Select(adapter => adapter.Path).ToArray());
            if (plan.BaseAdapters.Any(adapter => adapter.Multiplier != 1))
                writer.Write("base_weights_multiplier", plan.BaseAdapters.Select(adapter => (double)adapter.Multiplier).ToArray());
        }

        // They say what they are elsewhere.
        if (plan.Trainables is [ModelTrainableOptions] or [AdapterTrainableOptions { Adapter: LLLiteOptions }]) return;
        if (plan.Trainables is not [AdapterTrainableOptions trainable])
        {
            writer.Write("unet_lr", plan.UNetLearningRate);
            writer.Write("text_encoder_lr", Rates(plan.TextEncoderLearningRate, plan.SecondTextEncoderLearningRate));
            return;
        }

        writer.Write("unet_lr", trainable.UNetRate ?? plan.UNetLearningRate);
        writer.Write("text_encoder_lr", Rates(trainable.TextEncoderRate ?? plan.TextEncoderLearningRate,
            trainable.SecondTextEncoderRate ?? plan.SecondTextEncoderLearningRate));
        if (plan.Parts == AdapterParts.UNet) writer.Write("network_train_unet_only", true);
        else if (plan.Parts == AdapterParts.TextEncoder) writer.Write("network_train_text_encoder_only", true);
        AdapterWriting.Write(writer, trainable);
        writer.Write("network_weights", trainable.InitialWeights);
        writer.Write("dim_from_weights", trainable.RanksFromWeights);
        writer.Write("scale_weight_norms", trainable.MaxNorm);
        if (!trainable.Trained) writer.WriteSaid("network_train", false);
    }

    /// <summary>Rates of two text encoders: where only the second differs, the first is the run's.</summary>
    private static double[]? Rates(double? first, double? second) => (first, second) switch
    {
        (null, null) => null,
        ({ } one, null) => [one],
        var (one, two) => one is null ? null : [one.Value, two!.Value],
    };
}
