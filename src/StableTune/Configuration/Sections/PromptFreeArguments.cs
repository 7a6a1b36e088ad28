namespace StableTune.Configuration;

/// <summary>sd-trainer's prompt-free generation.</summary>
internal static class PromptFreeArguments
{
    private const string NotYet = "prompt-free generation cannot be trained from a configuration yet";

    public static OptionSection Section { get; } = new("Prompt-free generation",
    [
        new("pfg_resume", OptionKind.Text, "A file that it begins with (sd-trainer)") { Refusal = NotYet },
        new("pfg_train", OptionKind.Flag, "False applies it without training (sd-trainer)") { Default = true, Refusal = NotYet },
        new("input_size", OptionKind.Integer, "Width of a picture's features (sd-trainer)") { Default = 768, Refusal = NotYet },
        new("cross_attention_dim", OptionKind.Integer, "Width of the text states (sd-trainer)") { Default = 768, Refusal = NotYet },
        new("num_tokens", OptionKind.Integer, "Tokens that a picture becomes (sd-trainer)") { Default = 10, Refusal = NotYet },
    ]);
}
