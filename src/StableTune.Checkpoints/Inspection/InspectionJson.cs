using System.Text.Json.Nodes;
using StableTune.Formats;
using StableTune.Models;

namespace StableTune.Checkpoints;

/// <summary>Writes an inspection for programs.</summary>
internal static class InspectionJson
{
    public static string Write(ModelInspection inspection) => new JsonObject
    {
        ["path"] = inspection.Path,
        ["kind"] = inspection.Kind.ToString(),
        ["summary"] = inspection.Summary,
        ["details"] = Details(inspection.Details),
        ["parameters"] = inspection.Parameters,
        ["parts"] = new JsonArray([.. inspection.Parts.Select(Part)]),
        ["files"] = new JsonArray([.. inspection.Files.Select(File)]),
        ["metadata"] = new JsonObject(inspection.Metadata.Select(entry =>
            KeyValuePair.Create(entry.Key, (JsonNode?)JsonValue.Create(entry.Value)))),
        ["notes"] = Texts(inspection.Notes),
        ["problems"] = Texts(inspection.Problems),
    }.ToJsonString(JsonText.Indented);

    private static JsonObject? Details(ModelDetails? details) => details is null ? null : new JsonObject
    {
        ["format"] = details.Format.ToString(),
        ["version"] = details.Version.ToString(),
        ["version_origin"] = details.VersionOrigin,
        ["prediction"] = details.Prediction.ToString(),
        ["prediction_origin"] = details.PredictionOrigin,
        ["kind"] = details.Kind.ToString(),
        ["in_channels"] = details.InChannels,
    };

    private static JsonNode Part(InspectedPart part) => new JsonObject
    {
        ["name"] = part.Name,
        ["architecture"] = part.Architecture,
        ["parameters"] = part.Parameters,
        ["bytes"] = part.Bytes,
        ["stored"] = new JsonArray([.. part.Precisions.Select(JsonNode (precision) => new JsonObject
        {
            ["type"] = precision.Type.Name(), ["tensors"] = precision.Tensors, ["elements"] = precision.Elements,
            ["bytes"] = precision.Bytes,
        })]),
    };

    private static JsonNode File(InspectedFile file)
    {
        var json = new JsonObject { ["path"] = file.Path, ["bytes"] = file.Bytes };
        if (file.Hashes is { } hashes)
            json["hashes"] = new JsonObject { ["sha256"] = hashes.Sha256, ["autov2"] = hashes.AutoV2, ["old"] = hashes.Old };
        if (file.Carried.Count > 0)
            json["carried_hashes"] = new JsonArray([.. file.Carried.Select(JsonNode (carried) => new JsonObject
            {
                ["key"] = carried.Key, ["stored"] = carried.Stored, ["computed"] = carried.Computed, ["matches"] = carried.Matches,
            })]);
        return json;
    }

    private static JsonArray Texts(IReadOnlyList<string> texts) => new([.. texts.Select(text => (JsonNode?)JsonValue.Create(text))]);
}
