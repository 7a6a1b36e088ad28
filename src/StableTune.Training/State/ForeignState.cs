namespace StableTune.Training;

/// <summary>Recognises the state folders of other tools, and says what can be taken from them.</summary>
internal static class ForeignState
{
    private const string Adapters = "give it as initial weights (AdapterTrainableOptions.InitialWeights, network_weights)";
    private const string Model = "load it as the base model";

    /// <summary>By which file or folder a tool is known, the particular before the general.</summary>
    private static readonly (string Sign, string Tool)[] s_signs =
    [
        ("train_state.json", "sd-scripts (kohya)"),
        ("pytorch_lora_weights.safetensors", "diffusers"),
        ("pytorch_lora_weights.bin", "diffusers"),
        ("learned_embeds.safetensors", "diffusers"),
        ("random_states_0.pkl", "accelerate (sd-scripts, diffusers)"),
        ("optimizer.bin", "accelerate (sd-scripts, diffusers)"),
        ("scheduler.bin", "accelerate (sd-scripts, diffusers)"),
        ("optimizer.pdopt", "ppdiffusers"),
        ("model_state.pdparams", "ppdiffusers"),
        ("paddle_lora_weights.pdparams", "ppdiffusers"),
        ("trainer_state.json", "transformers' Trainer"),
        (Path.Combine("optimizer", "optimizer.pt"), "OneTrainer"),
        ("meta.json", "OneTrainer"),
        ("zero_to_fp32.py", "DeepSpeed"),
        ("optimizer.pt", "another trainer"),
        ("model_index.json", "diffusers (a model, not a state)"),
    ];

    /// <summary>Where such folders have weights, and what can be done with them.</summary>
    private static readonly (string Path, string Use)[] s_weights =
    [
        ("pytorch_lora_weights.safetensors", Adapters),
        ("pytorch_lora_weights.bin", Adapters),
        ("paddle_lora_weights.safetensors", Adapters),
        ("paddle_lora_weights.pdparams", Adapters),
        (Path.Combine("lora", "lora.safetensors"), Adapters),
        ("learned_embeds.safetensors", "give it as initial weights of the word (TextualInversionOptions.InitialWeights, weights)"),
        ("learned_embeds.bin", "give it as initial weights of the word (TextualInversionOptions.InitialWeights, weights)"),
        ("model.safetensors", "give it as initial weights of what is trained"),
        ("pytorch_model.bin", "give it as initial weights of what is trained"),
        ("model_state.pdparams", Model),
        ("model_index.json", Model),
        (Path.Combine("model", "model_index.json"), Model),
        ("unet", "put it in the place of the UNet in a copy of the base model's folder, and load that"),
    ];

    /// <summary>The fault to throw for a folder without <c>state.json</c>.</summary>
    public static InvalidFileException Describe(string folder)
    {
        bool Has(string name) => Path.Exists(Path.Combine(folder, name));
        if (Array.Find(s_signs, sign => Has(sign.Sign)) is not { Tool: { } tool, Sign: var sign })
            return new InvalidFileException(
                folder, $"it is no state of a run: {StateFolder.Main} is missing.",
                "Give the folder of a state, such as out/frog-step00000100-state.");
        var (weights, use) = Array.Find(s_weights, weights => Has(weights.Path));
        return new InvalidFileException(
            folder, $"this is a folder of {tool}, by its {sign}: a run cannot be continued from it.",
            weights is null ? "It holds no weights that could be taken instead: give the tool's result as initial weights."
                : $"Its weights can be taken instead, in {weights}: {use}.");
    }
}
