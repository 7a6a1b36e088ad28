using System.Net;

namespace StableTune.Hub;

/// <summary>What an answer's status means.</summary>
internal static class HubErrors
{
    /// <summary>Returns when the answer is a success, or the status is one that the caller handles.</summary>
    /// <param name="answer">The answer.</param>
    /// <param name="name">What was asked for.</param>
    /// <param name="settings">For the token's sake, and for the longest pause.</param>
    /// <param name="clock">Turns a date to wait for into a time.</param>
    /// <exception cref="TransientFault">The server is busy or out of order.</exception>
    /// <exception cref="HubException">The answer is no, or no answer at all.</exception>
    public static void ThrowIfFailed(HubAnswer answer, HubName name, HubSettings settings, TimeProvider clock)
    {
        var response = answer.Response;
        if (response.IsSuccessStatusCode) return;
        var (status, host) = ((int)response.StatusCode, answer.Address.Authority);
        ThrowIfBusy(answer, name, settings, clock);
        var code = HubHeaders.First(response, "X-Error-Code") ?? "";
        throw response.StatusCode switch
        {
            HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden => Denied(name, status, code, settings, Said(response)),
            HttpStatusCode.NotFound or HttpStatusCode.Gone => NotFound(name, code, settings),
            HttpStatusCode.ProxyAuthenticationRequired =>
                new HubException(HubFault.Unreachable, name.ToString(), "The proxy asks for a log-in (407).",
                "Put user and password into HTTPS_PROXY, or give an HttpClient that knows them."),
            _ => new HubException(HubFault.BadAnswer, name.ToString(), $"{host} answered {status} {response.ReasonPhrase}{Said(response)}.",
                "Check the name, the revision and the endpoint."),
        };
    }

    /// <summary>Throws when the server is busy or out of order.</summary>
    /// <exception cref="TransientFault">It is worth trying again.</exception>
    /// <exception cref="HubException">The server asks for too long a pause.</exception>
    public static void ThrowIfBusy(HubAnswer answer, HubName name, HubSettings settings, TimeProvider clock)
    {
        if (IsTransient(answer.Response.StatusCode)) throw Busy(answer.Response, name, answer.Address.Authority, settings, clock);
    }

    private static bool IsTransient(HttpStatusCode status) =>
        status is HttpStatusCode.RequestTimeout or HttpStatusCode.TooManyRequests or (HttpStatusCode)425
            or HttpStatusCode.InternalServerError or HttpStatusCode.BadGateway or HttpStatusCode.ServiceUnavailable
            or HttpStatusCode.GatewayTimeout
            or (HttpStatusCode)520;

    private static Exception Busy(HttpResponseMessage response, HubName name, string host, HubSettings settings, TimeProvider clock)
    {
        var asked = response.Headers.RetryAfter is { } after ? after.Delta
            ?? (after.Date is { } date ? date - clock.GetUtcNow() : null) : null;
        var pause = asked < TimeSpan.Zero ? TimeSpan.Zero : asked;
        var reason = $"{host} answered {(int)response.StatusCode} {response.ReasonPhrase}{Said(response)}.";
        return pause > settings.Options.LongestRetryDelay
            ? new HubException(HubFault.Unreachable, name.ToString(),
                $"{reason[..^1]} and asks for a pause of {pause.Value.TotalSeconds:0} s.",
                "Try again later, set a token (its limits are wider), or raise HubOptions.LongestRetryDelay.")
            : new TransientFault(reason, retryAfter: pause);
    }

    private static HubException Denied(HubName name, int status, string code, HubSettings settings, string said)
    {
        var page = $"{settings.Endpoint}{HubApi.Prefix(name)}{name.Repository}";
        var token = settings.Token is null ? "set a token (HF_TOKEN, or HubOptions.Token)"
            : "check that the token is valid and may read gated repositories";
        if (code == "GatedRepo" || said.Contains("gated", StringComparison.OrdinalIgnoreCase))
        {
            var asks = $"The repository is gated: its owner asks to accept a licence first ({status}{said}).";
            return new HubException(HubFault.AccessDenied, name.ToString(), asks,
                $"Accept it on {page} and {token}.") { Code = "GatedRepo" };
        }

        var reason = settings.Token is null ? "There is no such repository, or it is private"
            : "There is no such repository, or the token may not see it";
        return new HubException(HubFault.AccessDenied, name.ToString(), $"{reason} ({status}{said}).",
            $"Check the name on {page}; for a private one, {token}.");
    }

    private static HubException NotFound(HubName name, string code, HubSettings settings)
    {
        var reason = code switch
        {
            "RevisionNotFound" => $"The repository has no branch, tag or commit \"{name.Revision ?? settings.Revision}\".",
            "EntryNotFound" => "The repository has no such file.",
            _ => $"There is no such {HubNameParser.Word(name.Type)} on {settings.Endpoint.Authority}.",
        };
        var remedy = settings.Token is null && code is not ("RevisionNotFound" or "EntryNotFound")
            ? "Check the spelling; a private repository needs a token (HF_TOKEN, or HubOptions.Token)." : "Check the spelling.";
        return new HubException(HubFault.NotFound, name.ToString(), reason, remedy) { Code = code };
    }

    /// <summary>What the server says about it, short and without control characters.</summary>
    public static string Said(HttpResponseMessage response)
    {
        return Quoted(HubHeaders.First(response, "X-Error-Message"));
    }

    /// <summary>A server's words behind a comma, short and without control characters; nothing where there are none.</summary>
    public static string Quoted(string? text)
    {
        if (string.IsNullOrWhiteSpace(text)) return "";
        var plain = new string(text.Where(letter => !char.IsControl(letter)).Take(200).ToArray()).Trim().TrimEnd('.');
        return $", \"{plain}\"";
    }
}
