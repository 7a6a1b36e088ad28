namespace StableTune.Configuration;

/// <summary>
/// What is trained by <c>train-controlnet</c>. The rows and <see cref="Assemble"/> are all there is of ControlNets in the option tables.
/// </summary>
internal static class ControlNetArguments
{
    private const RunScript Control = RunScript.ControlNet;
    private const string NotYet = "ControlNets cannot be trained from a configuration yet";

    public static OptionSection Section { get; } = new("ControlNet",
    [
        new("controlnet_model_name_or_path", OptionKind.Text, "The ControlNet that training begins with; a copy of the UNet's first half")
        {
            Scripts = Control, Refusal = NotYet,
        },
        new("global_average_pooling", OptionKind.Flag, "Average each residual over the picture (sd-trainer)")
        {
            Scripts = Control, Refusal = NotYet,
        },
        new("conditioning_scale", OptionKind.Number, "The residuals' factor in samples")
        {
            Default = 1.0, Scripts = Control, Refusal = NotYet,
        },
        new("controlnet_train", OptionKind.Flag, "False applies the ControlNet without training it (sd-trainer)")
        {
            Default = true, Scripts = Control, Refusal = NotYet,
        },
        new("cond_emb_dim", OptionKind.Integer, "Channels of the control image's features (LLLite)")
        {
            Scripts = Control, Refusal = NotYet,
        },
    ], Assemble);

    private static void Assemble(RunDraft draft)
    {
        if (draft.Script != Control) return;
        draft.Values.Problems.Add(new OptionProblem("train-controlnet", null, NotYet,
            "build it in code with TrainerBuilder.WithTrainable, or train an adapter with train-network"));
    }
}
