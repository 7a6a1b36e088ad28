using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace StableTune.Hub;

/// <summary>Sends data to the hub, again where that may help, and says what its refusals mean.</summary>
internal sealed class HubWriting(HubTransport transport, HubSettings settings, HubRetry retry, TimeProvider clock)
{
    private const string LfsType = "application/vnd.git-lfs+json";

    public Uri Address(string relative) => transport.Address(relative);

    /// <summary>Refuses what cannot succeed before anything is sent.</summary>
    public void Require(HubName name)
    {
        if (settings.Offline)
            throw new HubException(HubFault.Offline, name.ToString(), "An upload needs the server, and only the cache may be used.",
                "Unset HF_HUB_OFFLINE, or set HubOptions.Offline to false.");
        if (settings.Token is null)
            throw new HubException(HubFault.AccessDenied, name.ToString(), "An upload needs a token, and there is none.",
                "Set HF_TOKEN or HubOptions.Token, or log in with `hf auth login`.");
    }

    /// <summary>Posts JSON and reads the answer's.</summary>
    public Task<(HttpStatusCode Status, JsonElement Answer)> PostAsync(
        HubName name, Uri address, JsonNode body, CancellationToken cancellationToken, params HttpStatusCode[] fine) =>
        SendAsync(name, Json(address, body, "application/json"), cancellationToken, fine);

    /// <summary>Posts JSON as Git LFS has it.</summary>
    /// <param name="name">What is uploaded to.</param>
    /// <param name="address">The address, the hub's own or one that it gave.</param>
    /// <param name="body">What is sent.</param>
    /// <param name="headers">Headers that the hub gave with the address.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task<JsonElement> PostLfsAsync(HubName name, Uri address, JsonNode body, IReadOnlyDictionary<string, string> headers,
        CancellationToken cancellationToken)
    {
        var request = Json(address, body, LfsType);
        request = request with { Headers = new Dictionary<string, string>(headers) { ["Accept"] = LfsType } };
        return (await SendAsync(name, request, cancellationToken).ConfigureAwait(false)).Answer;
    }

    /// <summary>Sends something and reads the answer as JSON; an answer that is none is an empty object.</summary>
    public Task<(HttpStatusCode Status, JsonElement Answer)> SendAsync(
        HubName name, HubRequest request, CancellationToken cancellationToken, params HttpStatusCode[] fine) =>
        retry.RunAsync(name, async token =>
        {
            using var answer = await transport.SendAsync(name.ToString(), request, token).ConfigureAwait(false);
            if (fine.Contains(answer.Response.StatusCode)) return (answer.Response.StatusCode, default);
            await ThrowIfRefusedAsync(name, answer, token).ConfigureAwait(false);
            if (answer.Response.Content.Headers.ContentLength == 0) return (answer.Response.StatusCode, default);
            using var json = await HubJson.ReadAsync(answer, name, settings, clock, token).ConfigureAwait(false);
            return (answer.Response.StatusCode, json.RootElement.Clone());
        }, cancellationToken);

    /// <summary>Puts a file's bytes into the storage that the hub has named.</summary>
    /// <returns>The checksum with which the storage answers; null for none.</returns>
    public Task<string?> PutAsync(HubName name, HubRequest request, Action failed, CancellationToken cancellationToken) =>
        retry.RunAsync(name, async token =>
        {
            try
            {
                using var answer = await transport.SendAsync(name.ToString(), request, token).ConfigureAwait(false);
                await ThrowIfRefusedAsync(name, answer, token).ConfigureAwait(false);
                return HubHeaders.First(answer.Response, "ETag");
            }
            catch
            {
                failed();
                throw;
            }
        }, cancellationToken);

    private static HubRequest Json(Uri address, JsonNode body, string type)
    {
        var bytes = Encoding.UTF8.GetBytes(body.ToJsonString());
        return new HubRequest(HttpMethod.Post, address)
        {
            Body = _ => new ByteArrayContent(bytes) { Headers = { ContentType = new(type) } },
        };
    }

    private async Task ThrowIfRefusedAsync(HubName name, HubAnswer answer, CancellationToken cancellationToken)
    {
        var response = answer.Response;
        if (response.IsSuccessStatusCode) return;
        HubErrors.ThrowIfBusy(answer, name, settings, clock);
        var said = HubErrors.Said(response);
        if (said.Length == 0) said = HubErrors.Quoted(await WordsAsync(answer, name, cancellationToken).ConfigureAwait(false));
        var (status, host) = ((int)response.StatusCode, answer.Address.Authority);
        var code = HubHeaders.First(response, "X-Error-Code") ?? "";
        throw response.StatusCode switch
        {
            // Another upload to the same branch came in between.
            HttpStatusCode.Conflict or HttpStatusCode.PreconditionFailed =>
                new TransientFault($"{host} answered {status} {response.ReasonPhrase}{said}.", fault: HubFault.Refused),
            HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden => new HubException(HubFault.AccessDenied, name.ToString(),
                $"{host} does not let this token write there ({status}{said}).",
                "Check the name, and give a token that may write to it (HF_TOKEN, or HubOptions.Token).") { Code = code },
            HttpStatusCode.NotFound => new HubException(HubFault.NotFound, name.ToString(),
                $"There is no such repository or revision on {host} (404{said}).",
                "Check the name; a private one looks the same to a token that may not see it.") { Code = code },
            _ => new HubException(HubFault.Refused, name.ToString(), $"{host} answered {status} {response.ReasonPhrase}{said}.",
                "Look at what it says; names, sizes and the room of an account are limited."),
        };
    }

    /// <summary>What the server says in the answer itself.</summary>
    private async Task<string?> WordsAsync(HubAnswer answer, HubName name, CancellationToken cancellationToken)
    {
        try
        {
            using var json = await HubJson.ReadAsync(answer, name, settings, clock, cancellationToken).ConfigureAwait(false);
            return HubJson.Text(json.RootElement, "error") ?? HubJson.Text(json.RootElement, "message");
        }
        catch (Exception e) when (e is TransientFault or HubException)
        {
            return null;                                                     // the status has to do
        }
    }
}
