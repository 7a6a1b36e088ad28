using System.Text.Json.Nodes;

namespace StableTune.Training;

/// <summary>Takes in what one part of a run remembers: tensors, and numbers and texts by name. Nothing is rounded.</summary>
public sealed class StateWriter
{
    private readonly Dictionary<string, Tensor> _tensors;
    private readonly string _place;

    internal StateWriter() : this(new(StringComparer.Ordinal), [], "") { }

    private StateWriter(Dictionary<string, Tensor> tensors, JsonObject values, string place) =>
        (_tensors, Values, _place) = (tensors, values, place);

    /// <summary>The tensors by name, in the order in which they came. They stay the part's own.</summary>
    internal IReadOnlyDictionary<string, Tensor> Tensors => _tensors;

    /// <summary>Numbers and texts.</summary>
    internal JsonObject Values { get; }

    /// <summary>A writer for something inside this part: its names are its own.</summary>
    /// <param name="place">Unique within the part.</param>
    internal StateWriter Within(string place) => new(_tensors, Values, $"{_place}{place}/");

    /// <summary>Keeps a tensor, in its own type. It is written before the call to <see cref="IResumable.Save"/>'s caller returns, and not
    /// changed.</summary>
    /// <param name="name">Its name within the part.</param>
    /// <param name="value">Any tensor; stays the caller's.</param>
    public void Tensor(string name, Tensor value)
    {
        ArgumentNullException.ThrowIfNull(value);
        if (!_tensors.TryAdd(_place + name, value)) throw new ArgumentException($"\"{name}\" is written twice.", nameof(name));
    }

    /// <summary>Keeps a whole number.</summary>
    public void Number(string name, long value) => Values.Add(_place + name, value);

    /// <summary>Keeps a number exactly; NaN and infinities too.</summary>
    public void Number(string name, double value) => Values.Add(_place + name, StateNumbers.Node(value));

    /// <summary>Keeps numbers exactly.</summary>
    public void Numbers(string name, IEnumerable<double> values) =>
        Values.Add(_place + name, new JsonArray([.. values.Select(StateNumbers.Node)]));

    /// <summary>Keeps a text.</summary>
    public void Text(string name, string? value) => Values.Add(_place + name, value);

    /// <summary>Keeps texts.</summary>
    public void Texts(string name, IEnumerable<string> values) =>
        Values.Add(_place + name, new JsonArray([.. values.Select(value => (JsonNode)value)]));
}
