namespace StableTune.Hub;

/// <summary>The options together with the environment: the only place that reads the environment.</summary>
internal sealed class HubSettings
{
    public const string DefaultEndpoint = "https://huggingface.co";

    private HubSettings(HubOptions options, Uri endpoint, string? token, string cacheFolder, bool offline) =>
        (Options, Endpoint, Token, CacheFolder, Offline) = (options, endpoint, token, cacheFolder, offline);

    public HubOptions Options { get; }

    /// <summary>Ends with '/', so that relative addresses are put behind it.</summary>
    public Uri Endpoint { get; }

    public string? Token { get; }

    public string CacheFolder { get; }

    public bool Offline { get; }

    public string Revision => Options.Revision ?? HubNameParser.DefaultRevision;

    /// <param name="options">The options; what is null in them comes from the environment.</param>
    /// <param name="environment">The value of a variable, or null.</param>
    /// <exception cref="InvalidOptionsException">Options, or variables of the environment, cannot work.</exception>
    public static HubSettings Of(HubOptions options, Func<string, string?> environment)
    {
        string? Variable(params string[] names) =>
            names.Select(environment).FirstOrDefault(value => !string.IsNullOrWhiteSpace(value))?.Trim();

        InvalidOptionsException.ThrowIfAny(options.Validate());
        var home = Expand(Variable("HF_HOME") ?? Path.Combine(Variable("XDG_CACHE_HOME") ?? "~/.cache", "huggingface"), Variable("HOME"));
        var cache = Expand(options.CacheFolder ?? Variable("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE") ?? Path.Combine(home, "hub"),
            Variable("HOME"));
        var offline = options.Offline ?? (IsTrue(Variable("HF_HUB_OFFLINE")) || IsTrue(Variable("TRANSFORMERS_OFFLINE")));
        var tokenFile = Expand(Variable("HF_TOKEN_PATH") ?? Path.Combine(home, "token"), Variable("HOME"));
        var (token, origin) = options.Token is { } given ? (given, "HubOptions.Token")
            : IsTrue(Variable("HF_HUB_DISABLE_IMPLICIT_TOKEN")) ? ("", "")
            : Variable("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN") is { } named ? (named, "HF_TOKEN")
            : (offline ? "" : FromFile(tokenFile), tokenFile);
        var endpoint = options.Endpoint ?? Address(Variable("HF_ENDPOINT"));
        InvalidOptionsException.ThrowIfAny((options with { Endpoint = endpoint }).Validate().Concat(TokenProblems(token, origin)));
        return new HubSettings(options, new Uri(endpoint.AbsoluteUri.TrimEnd('/') + "/"), token.Length == 0 ? null : token,
            Path.GetFullPath(cache), offline);
    }

    private static Uri Address(string? text)
    {
        if (text is null) return new Uri(DefaultEndpoint);
        if (Uri.TryCreate(text, UriKind.Absolute, out var address) && address.Scheme is "http" or "https") return address;
        throw new InvalidOptionsException([new OptionProblem("HF_ENDPOINT", text, "the variable holds no http or https address",
            $"write for instance {DefaultEndpoint}, or remove the variable")]);
    }

    private static IEnumerable<OptionProblem> TokenProblems(string token, string origin)
    {
        if (token.Any(letter => letter is <= ' ' or > '~'))
            yield return new OptionProblem(origin, "(not shown)", "a token has no spaces, line breaks or letters beyond ASCII",
                "write the token there again, and nothing else");
    }

    private static string FromFile(string path)
    {
        try
        {
            return File.Exists(path) ? File.ReadAllText(path).Trim() : "";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InvalidFileException(path, $"the token cannot be read ({e.Message.TrimEnd('.')}).",
                "Make the file readable, set HF_TOKEN, or set HubOptions.Token to \"\" to do without.", e);
        }
    }

    private static bool IsTrue(string? text) => text?.ToUpperInvariant() is "1" or "ON" or "YES" or "TRUE";

    private static string Expand(string path, string? home)
    {
        if (path != "~" && !path.StartsWith("~/", StringComparison.Ordinal) && !path.StartsWith("~\\", StringComparison.Ordinal))
            return path;
        return Path.Combine(home ?? Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), path[1..].TrimStart('/', '\\'));
    }
}
