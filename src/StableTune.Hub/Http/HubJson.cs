using System.Text.Json;

namespace StableTune.Hub;

/// <summary>Answers of the hub as JSON: of a length that fits into memory, and not a proxy's page.</summary>
internal static class HubJson
{
    private const int MaxAnswerBytes = 64 << 20;

    /// <exception cref="TransientFault">The connection broke, or what came is no JSON.</exception>
    /// <exception cref="HubException">The answer is a web page, or too long.</exception>
    public static async Task<JsonDocument> ReadAsync(
        HubAnswer answer, HubName name, HubSettings settings, TimeProvider clock, CancellationToken cancellationToken)
    {
        if (answer.IsWebPage) throw Odd(name, $"{answer.Address.Authority} answered with a web page where data was expected");
        using var body = new MemoryStream();
        var reader = new PatientStream(
            await answer.OpenAsync(cancellationToken).ConfigureAwait(false), settings.Options.StallTimeout, clock);
        var buffer = new byte[1 << 16];
        for (int count; (count = await reader.ReadAsync(buffer, cancellationToken).ConfigureAwait(false)) > 0;)
        {
            body.Write(buffer, 0, count);
            if (body.Length > MaxAnswerBytes)
                throw Odd(name, $"An answer of {answer.Address.Authority} has more than {MaxAnswerBytes >> 20} MiB");
        }

        try
        {
            return JsonDocument.Parse(body.ToArray());
        }
        catch (JsonException e)
        {
            throw new TransientFault(
                $"{answer.Address.Authority} answered with something that is no JSON ({e.Message.TrimEnd('.')}).", e,
                    fault: HubFault.BadAnswer);
        }
    }

    /// <summary>A text of an answer; null where it has none, or is no object.</summary>
    public static string? Text(JsonElement item, string property)
    {
        try
        {
            return item.ValueKind == JsonValueKind.Object && item.TryGetProperty(property, out var value)
                && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
        }
        catch (InvalidOperationException)
        {
            return null;                                                     // half a surrogate pair
        }
    }

    public static HubException Odd(HubName name, string reason) =>
        new(HubFault.BadAnswer, name.ToString(), reason + ".",
            "Check the endpoint (HubOptions.Endpoint, HF_ENDPOINT) and the proxy: this is not how a hub answers.");
}
