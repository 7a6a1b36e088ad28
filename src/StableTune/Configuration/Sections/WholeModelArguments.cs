using StableTune.Models;
using StableTune.Trainables;

namespace StableTune.Configuration;

/// <summary>What is trained by <c>train-db</c> and <c>fine-tune</c>: the model's own weights.</summary>
internal static class WholeModelArguments
{
    public static OptionSection Section { get; } = new("Whole model", [], Assemble) { Write = Write };

    private static void Assemble(RunDraft draft)
    {
        if (draft.Script is not (RunScript.DreamBooth or RunScript.FineTune)) return;
        var values = draft.Values;
        var trainsText = values.Said("train_text_encoder") ?? draft.Script == RunScript.DreamBooth;
        if (values.Find("stop_text_encoder_training") is { } stop)
        {
            if ((int)stop.Value <= 0) trainsText = false;
            else
                values.Problems.Add(stop.Problem("the text encoder is trained to the end or not at all",
                    "give -1 to leave it as it is, or leave the option out"));
        }

        var rate = values.Get<double>("learning_rate_te1") ?? values.Get<double>("learning_rate_te");
        if (rate is not null) draft.Builder.WithLearningRate(textEncoder: rate);
        if (values.Find("learning_rate_te2") is { } second && values.Get<double>("learning_rate_te2") != rate)
            values.Problems.Add(second.Problem("whole text encoders have one rate", "give learning_rate_te1 the same, or leave it out"));
        draft.Builder.WithFullTraining(trainsText ? ModelParts.UNet | ModelParts.TextEncoder : ModelParts.UNet);
    }

    private static void Write(RunWriter writer)
    {
        if (writer.Plan.Trainables is not [ModelTrainableOptions model]) return;
        if (!model.Parts.HasFlag(ModelParts.UNet)) writer.Refuse("ModelTrainableOptions.Parts", model.Parts);
        writer.WriteSaid("train_text_encoder", model.Parts.HasFlag(ModelParts.TextEncoder));
    }
}
