namespace StableTune.Configuration;

/// <summary>Metadata of model cards, several devices: known by name, and not there yet or not here.</summary>
internal static class OtherArguments
{
    private const string NoCard = "this entry of the metadata cannot be set";
    private const string OneDevice = "a run takes place on one device";
    private const string DeepSpeed = "DeepSpeed is a Python program: one process holds the model here";

    private static readonly string[] s_card =
    [
        "title", "author", "description", "license", "tags", "usage_hint", "thumbnail", "merged_from", "trigger_phrase", "preprocessor",
        "is_negative_embedding",
    ];

    public static OptionSection Metadata { get; } = new("Metadata",
    [
        .. s_card.Select(entry => new RunOption("metadata_" + entry, OptionKind.Text, $"The entry modelspec.{entry} of results")
        {
            Refusal = NoCard,
        }),
    ]);

    public static OptionSection Distributed { get; } = new("Several devices",
    [
        new("num_processes", OptionKind.Integer, "Processes, one for each device") { Default = 1, Refusal = OneDevice },
        new("gpu_ids", OptionKind.Text, "The devices: 0,1") { Aliases = ["gpus"], Refusal = OneDevice + ": name it with device" },
        new("ddp_timeout", OptionKind.Integer, "Minutes until processes give each other up") { NoEffect = OneDevice },
        new("ddp_gradient_as_bucket_view", OptionKind.Flag, "How gradients are exchanged") { NoEffect = OneDevice },
        new("ddp_static_graph", OptionKind.Flag, "How gradients are exchanged") { NoEffect = OneDevice },
        .. new[] { "deepspeed", "zero3_init_flag", "zero3_save_16bit_model", "fp16_master_weights_and_gradients" }.Select(name =>
            new RunOption(name, OptionKind.Flag, "Of DeepSpeed") { Refusal = DeepSpeed }),
        .. new[] { "zero_stage", "offload_optimizer_device", "offload_optimizer_nvme_path", "offload_param_device",
            "offload_param_nvme_path" }.Select(name => new RunOption(name, OptionKind.Text, "Of DeepSpeed") { Refusal = DeepSpeed }),
    ]);

    public static OptionSection File { get; } = new("Configuration file",
    [
        new("config_file", OptionKind.Text, "A TOML file of options; sections are for the reader only, the command line wins"),
        new("output_config", OptionKind.TextOrNothing, "Write the options to config_file, or to the file that is named, and stop"),
    ]);
}
