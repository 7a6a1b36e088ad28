using StableTune.Adapters;
using StableTune.Trainables;

namespace StableTune.Configuration;

/// <summary>What is trained by <c>train-controlnet</c>: a ControlNet, or with <c>cond_emb_dim</c> LLLite's small modules.</summary>
internal static class ControlNetArguments
{
    private const RunScript Control = RunScript.ControlNet;
    private const string ZeroToOne = "zero_to_one", MinusOneToOne = "minus_one_to_one";

    /// <summary>What LLLite's modules do not look at.</summary>
    private static readonly string[] s_notOfLLLite =
        ["controlnet_model_name_or_path", "global_average_pooling", "conditioning_scale", "conditioning_range"];

    public static OptionSection Section { get; } = new("ControlNet",
    [
        new("controlnet_model_name_or_path", OptionKind.Text, "The ControlNet that training begins with; a copy of the UNet's first half")
        {
            Scripts = Control,
        },
        new("global_average_pooling", OptionKind.Flag, "Average each residual over the picture (sd-trainer); unless said, as its file says")
        {
            Scripts = Control,
        },
        new("conditioning_scale", OptionKind.Number, "The residuals' factor in samples") { Default = 1.0, Scripts = Control },
        new("controlnet_train", OptionKind.Flag, "False applies the ControlNet without training it (sd-trainer)")
        {
            Default = true, Scripts = Control,
        },
        new("conditioning_range", OptionKind.Choice(ZeroToOne, MinusOneToOne),
            "What it sees of its picture; minus_one_to_one for what sd-scripts' script for SD 1 has made")
        {
            Default = ZeroToOne, Scripts = Control,
        },
        new("cond_emb_dim", OptionKind.Integer, "Channels of the control image's features; trains LLLite in the place of a ControlNet")
        {
            Scripts = Control,
        },
    ], Assemble)
    {
        Write = Write,
    };

    private static void Assemble(RunDraft draft)
    {
        if (!draft.Script.HasFlag(Control)) return;
        var values = draft.Values;
        if (values.Get<int>("cond_emb_dim") is { } channels)
        {
            draft.Builder.WithTrainable(LLLite(values, channels));
            foreach (var idle in s_notOfLLLite.Select(values.Find).OfType<OptionValue>().Where(idle => !idle.Option.IsDefault(idle.Value)))
                values.Notes.Add($"{idle.Origin}: {idle.Option.Name} is {RunOption.Shown(idle.Value)}: it is not looked at, because "
                    + "cond_emb_dim trains LLLite.");
            return;
        }

        draft.Builder.WithControlNet(options => options with
        {
            InitialWeights = values.Text("controlnet_model_name_or_path"), GlobalPool = values.Said("global_average_pooling"),
            Scale = values.Get<double>("conditioning_scale")!.Value, Trained = values.Flag("controlnet_train"),
            Range = values.Text("conditioning_range") == MinusOneToOne ? ControlPictureRange.MinusOneToOne : ControlPictureRange.ZeroToOne,
        });
    }

    private static AdapterTrainableOptions LLLite(OptionValues values, int channels)
    {
        var usual = new LLLiteOptions();
        return new AdapterTrainableOptions
        {
            Adapter = usual with
            {
                ConditionDim = channels, Dim = values.Get<int>("network_dim") ?? usual.Dim,
                Dropout = values.Get<double>("network_dropout") ?? usual.Dropout,
            },
            InitialWeights = values.Text("network_weights"), Trained = values.Flag("controlnet_train"),
        };
    }

    private static void Write(RunWriter writer)
    {
        switch (writer.Plan.Trainables)
        {
            case [ControlNetOptions control]:
                writer.Write("controlnet_model_name_or_path", control.InitialWeights);
                writer.WriteSaid("global_average_pooling", control.GlobalPool);
                writer.Write("conditioning_scale", control.Scale);
                if (!control.Trained) writer.WriteSaid("controlnet_train", false);
                if (control.Range == ControlPictureRange.MinusOneToOne) writer.Write("conditioning_range", MinusOneToOne);
                break;
            case [AdapterTrainableOptions { Adapter: LLLiteOptions lite } trainable]:
                writer.Write("cond_emb_dim", lite.ConditionDim);
                writer.Write("network_dim", lite.Dim);
                if (lite.Dropout > 0) writer.Write("network_dropout", lite.Dropout);
                writer.Write("network_weights", trainable.InitialWeights);
                if (!trainable.Trained) writer.WriteSaid("controlnet_train", false);
                break;
        }
    }
}
