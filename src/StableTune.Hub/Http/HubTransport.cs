using System.Net;
using System.Net.Http.Headers;
using System.Security.Authentication;

namespace StableTune.Hub;

/// <summary>Sends one request and follows its redirections. Knows who may see the token: the endpoint, and nobody else.</summary>
internal sealed class HubTransport(HttpClient http, HubSettings settings, TimeProvider clock)
{
    private const int MaxRedirections = 10;
    private const string Unconnected = "Check this computer's connection, the proxy (HTTPS_PROXY) and the endpoint (HubOptions.Endpoint, "
        + "HF_ENDPOINT).";
    private static readonly ProductInfoHeaderValue s_agent = new(
        "StableTune", typeof(HubTransport).Assembly.GetName().Version!.ToString(3));

    // Set by any thread, once.
    private volatile bool _wasAnswered;

    public Uri Address(string relative) => new(settings.Endpoint, relative);

    public bool HasToken => settings.Token is not null;

    /// <summary>Asks for an address, from a byte on.</summary>
    /// <param name="subject">What the request is for; errors name it.</param>
    /// <param name="address">The address.</param>
    /// <param name="from">The first byte wanted.</param>
    /// <param name="cancellationToken">Ends the request.</param>
    /// <returns>The answer, of which only the headers were read. Its status may be an error; see <see cref="HubErrors"/>.</returns>
    /// <exception cref="TransientFault">No answer came.</exception>
    /// <exception cref="HubException">The redirections lead nowhere, or the connection cannot be trusted.</exception>
    public async Task<HubAnswer> GetAsync(string subject, Uri address, long from, CancellationToken cancellationToken)
    {
        var headers = new HubHeaders();
        HashSet<string> visited = [];
        for (var at = address; ;)
        {
            if (!visited.Add(at.AbsoluteUri)) throw Lost(subject, $"The redirections run in a circle, back to {Shown(at)}.");
            if (visited.Count > MaxRedirections + 1)
                throw Lost(subject, $"More than {MaxRedirections} redirections follow each other, the last to {Shown(at)}.");
            var response = await SendAsync(subject, Request(at, from), cancellationToken).ConfigureAwait(false);
            var answered = response.RequestMessage?.RequestUri ?? at;   // a client of the host's may follow redirections by itself
            if (IsEndpoint(answered)) headers = headers.And(response);
            if (!IsRedirection(response.StatusCode)) return new HubAnswer(response, answered, headers);
            using (response) at = Next(subject, answered, response);
        }
    }

    /// <summary>Sends something: data for the hub, or a file for its storage.</summary>
    /// <param name="subject">What the request is for; errors name it.</param>
    /// <param name="sent">What is sent.</param>
    /// <param name="cancellationToken">Ends the request.</param>
    /// <returns>The answer, of which only the headers were read. Its status may be an error.</returns>
    /// <exception cref="TransientFault">No answer came, or the connection broke.</exception>
    /// <exception cref="HubException">The redirections lead nowhere, the connection cannot be trusted, or a file cannot be
    /// read.</exception>
    public async Task<HubAnswer> SendAsync(string subject, HubRequest sent, CancellationToken cancellationToken)
    {
        var at = sent.Address;
        for (var redirections = 0; ; redirections++)
        {
            var limit = sent.Body is null ? settings.Options.RequestTimeout : settings.Options.StallTimeout;
            using var patience = new CancellationTokenSource(limit, clock);
            var request = Request(at, 0);
            request.Method = sent.Method;
            if (!sent.WithToken) request.Headers.Authorization = null;
            request.Content = sent.Body?.Invoke(() => patience.CancelAfter(limit));
            foreach (var (name, value) in sent.Headers)
                if (!request.Headers.TryAddWithoutValidation(name, value))
                    request.Content?.Headers.TryAddWithoutValidation(name, value);
            var response = await SendAsync(subject, request, patience, limit, cancellationToken).ConfigureAwait(false);
            if (!IsRedirection(response.StatusCode)) return new HubAnswer(response, at, new HubHeaders().And(response));
            using (response)
            {
                // The others of the redirections ask for the answer elsewhere, without what was sent.
                if (response.StatusCode is not (HttpStatusCode.TemporaryRedirect or HttpStatusCode.PermanentRedirect))
                    throw Lost(subject, $"{at.Authority} answers {(int)response.StatusCode} to what is sent.");
                if (redirections == MaxRedirections)
                    throw Lost(subject, $"More than {MaxRedirections} redirections follow each other, the last to {Shown(at)}.");
                at = Next(subject, at, response);
            }
        }
    }

    private HttpRequestMessage Request(Uri address, long from)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, address);
        request.Headers.UserAgent.Add(s_agent);
        request.Headers.AcceptEncoding.Add(new StringWithQualityHeaderValue("identity"));   // lengths and ranges must be the file's
        if (from > 0) request.Headers.Range = new RangeHeaderValue(from, null);
        if (settings.Token is { } token && IsEndpoint(address))
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        return request;
    }

    private async Task<HttpResponseMessage> SendAsync(string subject, HttpRequestMessage request, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(settings.Options.RequestTimeout, clock);
        return await SendAsync(subject, request, timeout, settings.Options.RequestTimeout, cancellationToken).ConfigureAwait(false);
    }

    private async Task<HttpResponseMessage> SendAsync(string subject, HttpRequestMessage request, CancellationTokenSource timeout,
        TimeSpan limit, CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        using (request)
        {
            var host = request.RequestUri!.Authority;
            try
            {
                var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, either.Token).ConfigureAwait(false);
                _wasAnswered = true;
                return response;
            }
            catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
            {
                throw new TransientFault($"{host} gave no answer within {limit.TotalSeconds:0.###} s.", e);
            }
            catch (HttpRequestException e) when (e.InnerException is HubException own)
            {
                throw own;                                                   // the file that is sent
            }
            catch (HttpRequestException e) when (e.InnerException is AuthenticationException)
            {
                throw new HubException(HubFault.Unreachable, subject,
                    $"The connection to {host} is not secure: {e.InnerException.Message.TrimEnd('.')}.",
                    "Where a company's proxy opens connections, its certificate must be installed on this system.", e);
            }
            catch (HttpRequestException e) when (e.HttpRequestError == HttpRequestError.ConfigurationLimitExceeded)
            {
                throw new HubException(HubFault.BadAnswer, subject,
                    $"The headers of the answer from {host} are too large: {e.Message.TrimEnd('.')}.",
                    "Is the endpoint a hub?", e);
            }
            catch (HttpRequestException e) when (e.HttpRequestError == HttpRequestError.NameResolutionError && !_wasAnswered)
            {
                // No network, or a mistyped endpoint. In the middle of a download it is a drop like others.
                throw new HubException(HubFault.Unreachable, subject, $"{host} was not found ({e.Message.TrimEnd('.')}).", Unconnected, e);
            }
            catch (HttpRequestException e)
            {
                throw new TransientFault($"{host} was not reached ({e.Message.TrimEnd('.')}).", e);
            }
        }
    }

    private Uri Next(string subject, Uri from, HttpResponseMessage response)
    {
        // Not Headers.Location: on Unix that takes "/path" for an absolute file address.
        if (HubHeaders.First(response, "Location") is not { } location || !Uri.TryCreate(from, location, out var next))
            throw Lost(subject, $"{from.Authority} answers {(int)response.StatusCode}, but does not say whereto.");
        if (next.Scheme is not ("http" or "https") || next.UserInfo.Length > 0)
            throw Lost(subject, $"{from.Authority} redirects to {Shown(next)}, which is no web address of a file.");
        if (from.Scheme == "https" && next.Scheme == "http")
            throw Lost(subject, $"{from.Authority} redirects to {Shown(next)}, from a secure connection to one that is not.");
        return next;
    }

    private bool IsEndpoint(Uri address) =>
        Uri.Compare(address, settings.Endpoint, UriComponents.SchemeAndServer, UriFormat.UriEscaped,
            StringComparison.OrdinalIgnoreCase) == 0;

    private static bool IsRedirection(HttpStatusCode status) =>
        status is HttpStatusCode.MovedPermanently or HttpStatusCode.Found or HttpStatusCode.SeeOther
        or HttpStatusCode.TemporaryRedirect or HttpStatusCode.PermanentRedirect;

    /// <summary>An address without its query: those of storage servers carry signatures.</summary>
    private static string Shown(Uri address) => ShortText.Of(address.GetLeftPart(UriPartial.Path), 200);

    private static HubException Lost(string subject, string reason) =>
        new(HubFault.BadAnswer, subject, reason, "Check the endpoint (HubOptions.Endpoint, HF_ENDPOINT) and the proxy.");
}
