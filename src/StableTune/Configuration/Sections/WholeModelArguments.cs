using StableTune.Models;
using StableTune.Trainables;

namespace StableTune.Configuration;

/// <summary>What is trained by <c>train-db</c> and <c>fine-tune</c>: the model's own weights.</summary>
internal static class WholeModelArguments
{
    private const RunScript WholeModels = RunScript.DreamBooth | RunScript.FineTune;

    private static readonly string[] s_textRates = ["learning_rate_te", "learning_rate_te1", "learning_rate_te2"];

    public static OptionSection Section { get; } = new("Whole model",
    [
        new("train_text_encoder", OptionKind.Flag, "Train the text encoder too; with train-db the default") { Scripts = WholeModels },
        new("stop_text_encoder_training", OptionKind.Integer, "Steps after which the text encoder stays as it is; -1 or 0: from the start")
        {
            Scripts = WholeModels,
        },
        new("learning_rate_te", OptionKind.Number, "The text encoder's rate; 0 leaves it as it is") { Scripts = WholeModels },
        new("learning_rate_te1", OptionKind.Number, "The same, of SDXL's first text encoder") { Scripts = WholeModels },
        new("learning_rate_te2", OptionKind.Number, "The same, of SDXL's second text encoder") { Scripts = WholeModels },
        new("block_lr", OptionKind.Numbers, "A rate for each block of the UNet, 0 for none: 23 numbers for SDXL, 25 for other models")
        {
            Scripts = WholeModels,
        },
    ], Assemble)
    {
        Write = Write,
    };

    /// <summary>The parts of the model that are trained; none where something else is.</summary>
    public static ModelParts Parts(RunDraft draft)
    {
        if ((draft.Script & WholeModels) == 0) return ModelParts.None;
        var values = draft.Values;
        var text = (values.Said("train_text_encoder") ?? draft.Script == RunScript.DreamBooth)
            && !(values.Get<int>("stop_text_encoder_training") <= 0);
        return (values.Flag("train_unet") ? ModelParts.UNet : ModelParts.None) | (text ? ModelParts.TextEncoder : ModelParts.None);
    }

    private static void Assemble(RunDraft draft)
    {
        var (values, parts) = (draft.Values, Parts(draft));
        // Adapters leave the UNet as it is anyhow.
        _ = values.Find("train_unet");
        if ((draft.Script & WholeModels) == 0) return;
        if (parts == ModelParts.None)
        {
            if (!values.Flag("pfg"))
                values.Fault("train_unet", "the text encoder is not trained either, so nothing is",
                    "leave it out, or set train_text_encoder");
            return;
        }

        if (values.Find("learning_rate_te1") is not null && values.Find("learning_rate_te") is { } twice)
            values.Problems.Add(twice.Problem("learning_rate_te1 says the same", "give one of them"));
        if (!parts.HasFlag(ModelParts.TextEncoder))
            foreach (var idle in s_textRates.Select(values.Find).OfType<OptionValue>())
                values.Notes.Add($"{idle.Origin}: {idle.Option.Name} is {RunOption.Shown(idle.Value)}: it is not looked at, because the "
                    + "text encoder is not trained.");
        else
            draft.Builder.WithLearningRate(textEncoder: values.Get<double>("learning_rate_te1") ?? values.Get<double>("learning_rate_te"),
                secondTextEncoder: values.Get<double>("learning_rate_te2"));
        draft.Builder.WithFullTraining(options => options with
        {
            Parts = parts, BlockLearningRates = (double[]?)values.Find("block_lr")?.Value,
            StopTextEncoderAt = values.Get<int>("stop_text_encoder_training") is > 0 and var stop ? stop : null,
        });
    }

    private static void Write(RunWriter writer)
    {
        var plan = writer.Plan;
        if (plan.Trainables is [PfgOptions]) writer.WriteSaid("train_unet", false);
        if (plan.Trainables is not [ModelTrainableOptions given]) return;
        var (model, rates) = Settled(given, plan);
        writer.Write("unet_lr", rates.UNetLearningRate);
        writer.Write("learning_rate_te1", rates.TextEncoderLearningRate);
        writer.Write("learning_rate_te2", rates.SecondTextEncoderLearningRate);
        if (!model.Parts.HasFlag(ModelParts.UNet)) writer.WriteSaid("train_unet", false);
        writer.WriteSaid("train_text_encoder", model.Parts.HasFlag(ModelParts.TextEncoder));
        writer.Write("stop_text_encoder_training", model.StopTextEncoderAt);
        writer.Write("block_lr", model.BlockLearningRates?.ToArray());
    }

    /// <summary>The same said in one way: rates in the plan, and a text encoder that is never trained left out.</summary>
    public static (ModelTrainableOptions Model, TrainingPlan Rates) Settled(ModelTrainableOptions model, TrainingPlan plan)
    {
        var never = model.StopTextEncoderAt <= 0;
        return (model with
        {
            UNetRate = null, TextEncoderRate = null, SecondTextEncoderRate = null,
            StopTextEncoderAt = never ? null : model.StopTextEncoderAt,
            Parts = never ? model.Parts & ~ModelParts.TextEncoder : model.Parts,
        }, plan with
        {
            UNetLearningRate = model.UNetRate ?? plan.UNetLearningRate,
            TextEncoderLearningRate = never ? null : model.TextEncoderRate ?? plan.TextEncoderLearningRate,
            SecondTextEncoderLearningRate = never ? null
                : model.SecondTextEncoderRate ?? (model.TextEncoderRate is null ? plan.SecondTextEncoderLearningRate : null),
        });
    }
}
