namespace StableTune.Hub;

/// <summary>Something that is sent.</summary>
/// <param name="Method">POST for data, PUT for files.</param>
/// <param name="Address">Whereto.</param>
internal sealed record HubRequest(HttpMethod Method, Uri Address)
{
    /// <summary>Makes what is sent, anew for each attempt. It is given what it must call whenever bytes have gone out: as long as some do,
    /// the request is waited for.</summary>
    public Func<Action, HttpContent>? Body { get; init; }

    /// <summary>Further headers.</summary>
    public IReadOnlyDictionary<string, string> Headers { get; init; } = new Dictionary<string, string>();

    /// <summary>Whether the token goes along, if the address is the endpoint's. Storage has signed addresses instead.</summary>
    public bool WithToken { get; init; } = true;
}
