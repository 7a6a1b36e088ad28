namespace StableTune.Training;

/// <summary>Recognises the state folders of other tools, and says what can be taken from them.</summary>
internal static class ForeignState
{
    private static readonly (string Sign, string Tool, string Advice)[] s_signs =
    [
        ("random_states_0.pkl", "accelerate (sd-scripts, diffusers)",
            "Only its weights can be taken: give model.safetensors as initial weights of what is trained."),
        ("optimizer.bin", "accelerate (sd-scripts, diffusers)",
            "Only its weights can be taken: give model.safetensors as initial weights of what is trained."),
        ("trainer_state.json", "transformers' Trainer", "Only its weights can be taken, as initial weights of what is trained."),
        ("meta.json", "OneTrainer", "Only its weights can be taken, as initial weights of what is trained."),
        ("model_state.pdparams", "ppdiffusers", "Only its weights can be taken: load it as the base model."),
        ("model_index.json", "diffusers (a model, not a state)", "Load it as the base model."),
    ];

    /// <summary>The fault to throw for a folder without <c>state.json</c>.</summary>
    public static InvalidFileException Describe(string folder)
    {
        foreach (var (sign, tool, advice) in s_signs)
        {
            if (File.Exists(Path.Combine(folder, sign)))
                return new InvalidFileException(
                    folder, $"this is a folder of {tool}, by its file {sign}: a run cannot be continued from it.", advice);
        }

        return new InvalidFileException(
            folder, $"it is no state of a run: {StateFolder.Main} is missing.",
            "Give the folder of a state, such as out/frog-step00000100-state.");
    }
}
