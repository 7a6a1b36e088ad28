using System.Globalization;
using StableTune.Formats;

namespace StableTune.Checkpoints;

/// <summary>The names and shapes below a prefix of a checkpoint, as questions that finding out an architecture asks.</summary>
internal sealed class CheckpointKeys
{
    private readonly ITensorFile _file;
    private readonly string _prefix;
    private readonly HashSet<string> _modules = new(StringComparer.Ordinal);

    /// <summary>Looks at what lies below a prefix.</summary>
    public CheckpointKeys(ITensorFile file, string prefix)
    {
        (_file, _prefix) = (file, prefix);
        foreach (var tensor in file.Tensors)
        {
            if (!tensor.Name.StartsWith(prefix, StringComparison.Ordinal)) continue;
            var name = tensor.Name[prefix.Length..];
            for (var end = name.IndexOf('.', StringComparison.Ordinal); end >= 0; end = name.IndexOf('.', end + 1)) _modules.Add(
                name[..end]);
        }
    }

    /// <summary>The file, for messages.</summary>
    public string Path => _file.Path;

    /// <summary>Whether anything lies below the prefix.</summary>
    public bool Any => _modules.Count > 0;

    /// <summary>Whether there is a tensor of this name.</summary>
    public bool Has(string name) => _file.TryGet(_prefix + name, out _);

    /// <summary>Whether there is a module of this name: any tensor below it.</summary>
    public bool HasModule(string name) => _modules.Contains(name);

    /// <summary>How many modules 0, 1, 2, ... without gap lie below this one.</summary>
    public int Count(string module)
    {
        var count = 0;
        while (HasModule(string.Create(CultureInfo.InvariantCulture, $"{module}.{count}"))) count++;
        return count;
    }

    /// <summary>Throws unless a module has the modules 0, 1, 2, ... up to a number below it, and no others.</summary>
    /// <param name="module">The module.</param>
    /// <param name="count">How many there must be.</param>
    /// <exception cref="InvalidFileException">One is missing, or there are others.</exception>
    public void RequireExactly(string module, int count)
    {
        var start = module + ".";
        var children = _modules.Where(name => name.StartsWith(start, StringComparison.Ordinal) && name.IndexOf('.', start.Length) < 0)
            .ToHashSet(StringComparer.Ordinal);
        for (var i = 0; i < Math.Max(count, children.Count); i++)
            if (string.Create(CultureInfo.InvariantCulture, $"{start}{i}") is var child && !children.Contains(child))
                throw Unsupported($"'{_prefix}{child}' is missing.");
        if (children.Count > count) throw Unsupported($"'{_prefix}{module}' has {children.Count} blocks, where {count} were expected.");
    }

    /// <summary>A size of a tensor's shape.</summary>
    /// <param name="name">The tensor.</param>
    /// <param name="dimension">Which size, from 0.</param>
    /// <exception cref="InvalidFileException">The tensor is missing, or has too few dimensions or an impossible size.</exception>
    public int Size(string name, int dimension)
    {
        var shape = Shape(name);
        if (dimension < shape.Count && shape[dimension] is > 0 and <= MaximumSize) return (int)shape[dimension];
        throw new InvalidFileException(
            _file.Path, $"the tensor '{_prefix}{name}' has the shape [{string.Join(", ", shape)}], of which no architecture follows.",
            "The file is damaged, or is a model of another kind: take it from its source again.");
    }

    /// <summary>A tensor's shape.</summary>
    /// <exception cref="InvalidFileException">The tensor is missing.</exception>
    public IReadOnlyList<long> Shape(string name) =>
        _file.TryGet(_prefix + name, out var info) ? info.Shape : throw new InvalidFileException(
        _file.Path, $"the tensor '{_prefix}{name}' is missing.",
            "The file is incomplete, or is a model of another kind: take it from its source again.");

    /// <summary>A fault of the architecture, with the prefix for orientation.</summary>
    public InvalidFileException Unsupported(string fault) =>
        new(_file.Path, fault, "Use a model of a supported architecture: Stable Diffusion 1.x, 2.x or XL.");

    /// <summary>No size of any model comes near: beyond it the file is damaged or hostile.</summary>
    private const int MaximumSize = 1 << 24;
}
