namespace StableTune.Configuration;

/// <summary>Metadata of model cards: known by name, and not there yet.</summary>
internal static class OtherArguments
{
    private const string NoCard = "this entry of the metadata cannot be set";

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

    public static OptionSection File { get; } = new("Configuration file",
    [
        new("config_file", OptionKind.Text, "A TOML file of options; sections are for the reader only, the command line wins"),
        new("output_config", OptionKind.TextOrNothing, "Write the options to config_file, or to the file that is named, and stop"),
    ]);
}
