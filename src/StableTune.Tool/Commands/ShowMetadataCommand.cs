using System.CommandLine;
using System.Text.Json;
using StableTune.Formats;

namespace StableTune.Tool.Commands;

/// <summary>The texts in a file's header as JSON: sd-scripts' <c>tools/show_metadata.py</c>.</summary>
internal sealed class ShowMetadataCommand : ToolCommand
{
    private readonly Option<string> _model;

    public ShowMetadataCommand() : base("show-metadata", "Show the metadata of a safetensors file as JSON") =>
        _model = Required<string>("model", "The file");

    protected override void Run(ParseResult arguments, ToolRun run)
    {
        using var file = TensorFile.Open(arguments.GetRequiredValue(_model));
        run.Output.WriteLine(JsonSerializer.Serialize(
            file.Metadata.OrderBy(entry => entry.Key, StringComparer.Ordinal)
                .ToDictionary(entry => entry.Key, entry => Parsed(entry.Value)),
            JsonText.Indented));
    }

    /// <summary>Texts that are JSON themselves are shown as what they say.</summary>
    private static object Parsed(string text)
    {
        if (text.Length == 0 || text[0] is not ('{' or '[')) return text;
        try
        {
            return JsonSerializer.Deserialize<JsonElement>(text);
        }
        catch (JsonException)
        {
            return text;
        }
    }
}
