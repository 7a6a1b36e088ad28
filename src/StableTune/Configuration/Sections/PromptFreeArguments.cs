using StableTune.Trainables;

namespace StableTune.Configuration;

/// <summary>sd-trainer's prompt-free generation, alone or beside what the program trains.</summary>
internal static class PromptFreeArguments
{
    public static OptionSection Section { get; } = new("Prompt-free generation",
    [
        new("pfg", OptionKind.Flag, "Train a network that makes tokens of what a tagger saw (sd-trainer), beside what else is trained"),
        new("pfg_resume", OptionKind.Text, "A file that it begins with (sd-trainer)"),
        new("pfg_train", OptionKind.Flag, "False applies it without training (sd-trainer)") { Default = true },
        new("input_size", OptionKind.Integer, "Width of a picture's features (sd-trainer)") { Default = 768 },
        new("cross_attention_dim", OptionKind.Integer, "Width of the text states (sd-trainer); the model's when not given"),
        new("num_tokens", OptionKind.Integer, "Tokens that a picture becomes (sd-trainer); those of pfg_resume, or 10, when not given"),
        new("pfg_sample_features", OptionKind.Texts, "Files of the features that samples shall be like, in turns"),
    ], Assemble)
    {
        Write = writer =>
        {
            if (writer.Plan.Trainables is not [PfgOptions pfg]) return;
            writer.Write("pfg", true);
            writer.Write("pfg_resume", pfg.InitialWeights);
            if (!pfg.Trained) writer.WriteSaid("pfg_train", false);
            writer.Write("input_size", pfg.InputSize);
            writer.Write("cross_attention_dim", pfg.ContextWidth);
            writer.Write("num_tokens", pfg.Tokens);
            if (pfg.SampleFeatures.Count > 0) writer.Write("pfg_sample_features", pfg.SampleFeatures.ToArray());
        },
    };

    private static void Assemble(RunDraft draft)
    {
        var values = draft.Values;
        if (!values.Flag("pfg")) return;
        draft.Builder.WithPfg(options => options with
        {
            InitialWeights = values.Text("pfg_resume"), Trained = values.Flag("pfg_train"),
            InputSize = values.Get<int>("input_size")!.Value,
            ContextWidth = values.Get<int>("cross_attention_dim"), Tokens = values.Get<int>("num_tokens"),
            SampleFeatures = [.. values.Texts("pfg_sample_features")],
        });
    }
}
