namespace StableTune.Tensors;

/// <summary>A tensor whose shape in the file is not the one the module has.</summary>
/// <param name="Name">Its name in the module.</param>
/// <param name="Expected">The module's shape.</param>
/// <param name="Found">The file's shape.</param>
public sealed record ShapeMismatch(string Name, IReadOnlyList<long> Expected, IReadOnlyList<long> Found)
{
    /// <summary>For messages: "conv_in.weight: the model has [32, 4, 3, 3], the file [320, 4, 3, 3]".</summary>
    public override string ToString() => $"{Name}: the model has [{string.Join(", ", Expected)}], the file [{string.Join(", ", Found)}]";
}

/// <summary>How the names and shapes of a file fitted those of a module. What is listed here was not loaded.</summary>
/// <param name="Path">The file.</param>
/// <param name="Missing">Names that the module has and the file lacks, in the module's order.</param>
/// <param name="Unexpected">Names that the file has and the module lacks, as the file spells them.</param>
/// <param name="Mismatched">Names that both have, with different shapes.</param>
public sealed record LoadReport(
    string Path, IReadOnlyList<string> Missing, IReadOnlyList<string> Unexpected, IReadOnlyList<ShapeMismatch> Mismatched)
{
    /// <summary>Names, in the module, of loaded tensors that hold NaN or infinities in the type they have there, in the order of the
    /// file; empty unless <see cref="ModuleLoadOptions.CheckNumbers"/> asked for them.</summary>
    public IReadOnlyList<string> NotFinite { get; init; } = [];

    /// <summary>Whether nothing is missing, unexpected or of another shape.</summary>
    public bool IsComplete => Missing.Count + Unexpected.Count + Mismatched.Count == 0;

    /// <summary>Throws when the file did not fit; one message counts the names and lists the first of each kind.</summary>
    /// <param name="allowUnexpected">Whether names that the module lacks are passed over.</param>
    /// <returns>This report.</returns>
    /// <exception cref="WeightsDoNotFitException">Something is missing, of another shape, or unexpected.</exception>
    public LoadReport ThrowIfIncomplete(bool allowUnexpected = false)
    {
        if (IsComplete || (allowUnexpected && Missing.Count + Mismatched.Count == 0)) return this;
        throw new WeightsDoNotFitException(this);
    }
}
