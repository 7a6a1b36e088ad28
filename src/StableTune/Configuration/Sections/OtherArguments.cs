namespace StableTune.Configuration;

/// <summary>Uploads, metadata of model cards: known by name, and not there yet.</summary>
internal static class OtherArguments
{
    private const string NoUploads = "results are not uploaded";
    private const string NoCard = "this entry of the metadata cannot be set";

    private static readonly string[] s_card =
    [
        "title", "author", "description", "license", "tags", "usage_hint", "thumbnail", "merged_from", "trigger_phrase", "preprocessor",
        "is_negative_embedding",
    ];

    public static OptionSection Hub { get; } = new("Hub",
    [
        new("huggingface_repo_id", OptionKind.Text, "The repository that results are uploaded to")
        {
            Aliases = ["hub_model_id"], Refusal = NoUploads,
        },
        new("push_to_hub", OptionKind.Flag, "Upload results (diffusers, ppdiffusers)") { Refusal = NoUploads },
        new("huggingface_repo_type", OptionKind.Text, "model, dataset or space") { Refusal = NoUploads },
        new("huggingface_path_in_repo", OptionKind.Text, "The folder in the repository") { Refusal = NoUploads },
        new("huggingface_token", OptionKind.Text, "The token; better in the environment: HF_TOKEN")
        {
            Aliases = ["hub_token"], NoEffect = "downloads take it from the environment, HF_TOKEN",
        },
        new("huggingface_repo_visibility", OptionKind.Text, "public or private") { Refusal = NoUploads },
        new("save_state_to_huggingface", OptionKind.Flag, "Upload states too") { Refusal = NoUploads },
        new("async_upload", OptionKind.Flag, "Upload in the background") { Refusal = NoUploads },
    ]);

    public static OptionSection Metadata { get; } = new("Metadata",
    [
        .. s_card.Select(entry => new RunOption("metadata_" + entry, OptionKind.Text, $"The entry modelspec.{entry} of results")
        {
            Refusal = NoCard,
        }),
    ]);

    public static OptionSection File { get; } = new("Configuration file",
    [
        new("config_file", OptionKind.Text, "A TOML file of options; sections are for the reader only, the command line wins"),
        new("output_config", OptionKind.TextOrNothing, "Write the options to config_file, or to the file that is named, and stop"),
    ]);
}
