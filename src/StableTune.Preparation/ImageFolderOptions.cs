using StableTune.Data;

namespace StableTune.Preparation;

/// <summary>What tools have in common that make images of the images of a folder: where these lie, where results go, and what becomes of
/// results that are there already.</summary>
public abstract record ImageFolderOptions : OptionsBase
{
    /// <summary>The folder of the images, not searched any deeper; required.</summary>
    public string? Source { get; init; }

    /// <summary>The folder to write into; created when missing; required.</summary>
    public string? Destination { get; init; }

    /// <summary>
    /// Whether results that are there already are written again. Without this and <see cref="KeepExisting"/> the tool says so and does not
    /// begin. Default false.
    /// </summary>
    public bool Overwrite { get; init; }

    /// <summary>Whether results that are there already stay and their images are left out, as where work was interrupted. Default
    /// false.</summary>
    public bool KeepExisting { get; init; }

    /// <summary>Whether photographs are turned as their EXIF orientation says; give what the data set has. Default true.</summary>
    public bool ApplyExifOrientation { get; init; } = true;

    /// <summary>Whether results have names of their own, so that they may lie beside the images.</summary>
    private protected virtual bool MayLieBesideImages => false;

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        var tool = GetType().Name;
        if (Overwrite && KeepExisting)
            yield return Problem(KeepExisting, "results cannot be both kept and written again", "set one of the two");
        foreach (var problem in FolderRules.OfImages($"{tool}.{nameof(Source)}", Source)) yield return problem;
        foreach (var problem in FolderRules.OfResults(
            $"{tool}.{nameof(Destination)}", Destination, MayLieBesideImages ? null : Source)) yield return problem;
    }
}
