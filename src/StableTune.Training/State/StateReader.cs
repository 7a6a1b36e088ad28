using System.Text.Json.Nodes;
using StableTune.Tensors;

namespace StableTune.Training;

/// <summary>Gives back what one part of a run wrote with a <see cref="StateWriter"/>.</summary>
public sealed class StateReader
{
    private readonly string _folder, _part, _place;
    private readonly JsonObject _values;
    private readonly WeightFile? _tensors;

    internal StateReader(string folder, string part, JsonObject values, WeightFile? tensors, string place = "") =>
        (_folder, _part, _values, _tensors, _place) = (folder, part, values, tensors, place);

    /// <summary>Reads what was written with <see cref="StateWriter.Within"/>.</summary>
    internal StateReader Within(string place) => new(_folder, _part, _values, _tensors, $"{_place}{place}/");

    /// <summary>The names of the tensors.</summary>
    public IEnumerable<string> TensorNames => (_tensors?.Names ?? []).Where(name => name.StartsWith(_place, StringComparison.Ordinal))
        .Select(name => name[_place.Length..]);

    /// <summary>Whether there is a tensor of this name.</summary>
    public bool HasTensor(string name) => _tensors?.Contains(_place + name) ?? false;

    /// <summary>Whether there is a number or text of this name.</summary>
    public bool Has(string name) => _values.ContainsKey(_place + name);

    /// <summary>A tensor, in its own type, in host memory and in the current dispose scope.</summary>
    /// <exception cref="InvalidFileException">There is none of this name.</exception>
    public Tensor Tensor(string name) => HasTensor(name) ? _tensors!.Load(_place + name) : throw Missing(name);

    /// <summary>Copies a tensor of the state into one that is there.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="target">Of the same shape; any type and device.</param>
    /// <exception cref="InvalidFileException">There is none of this name, or it has another shape.</exception>
    public void CopyTo(string name, Tensor target)
    {
        ArgumentNullException.ThrowIfNull(target);
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        var saved = Tensor(name);
        if (!saved.shape.SequenceEqual(target.shape))
        {
            throw Fault($"\"{name}\" has the shape [{string.Join(", ", saved.shape)}], and [{string.Join(", ", target.shape)}] is wanted.");
        }

        target.copy_(saved);
    }

    /// <summary>A whole number.</summary>
    /// <exception cref="InvalidFileException">There is none of this name.</exception>
    public long Long(string name) =>
        _values[_place + name] is JsonValue value && value.TryGetValue(out long number) ? number : throw Missing(name);

    /// <summary>A number.</summary>
    /// <exception cref="InvalidFileException">There is none of this name.</exception>
    public double Double(string name) => StateNumbers.Value(_values[_place + name]) ?? throw Missing(name);

    /// <summary>Numbers.</summary>
    /// <exception cref="InvalidFileException">There are none of this name.</exception>
    public IReadOnlyList<double> Doubles(string name) =>
        _values[_place + name] is JsonArray list ? [.. list.Select(node => StateNumbers.Value(node) ?? throw Missing(name))]
            : throw Missing(name);

    /// <summary>A text, or null where null was written.</summary>
    /// <exception cref="InvalidFileException">There is none of this name.</exception>
    public string? Text(string name) => !_values.TryGetPropertyValue(_place + name, out var node) ? throw Missing(name)
        : node is null ? null
        : node is JsonValue value && value.TryGetValue(out string? text) ? text : throw Missing(name);

    /// <summary>Texts.</summary>
    /// <exception cref="InvalidFileException">There are none of this name.</exception>
    public IReadOnlyList<string> Texts(string name) => _values[_place + name] is JsonArray list
        ? [.. list.Select(node => node is JsonValue value && value.TryGetValue(out string? text) ? text : throw Missing(name))]
        : throw Missing(name);

    /// <summary>A fault of this part of the state, for a part that looks closer than names and shapes.</summary>
    /// <param name="what">What is wrong, a sentence.</param>
    public InvalidFileException Fault(string what) => new(
        _folder, $"in the state of \"{_part}\" {what}",
            "The state was written for another plan, or by another version: start anew, or resume with the plan that it was written for.");

    private InvalidFileException Missing(string name) => Fault($"\"{_place}{name}\" is missing, or is not what it should be.");
}
