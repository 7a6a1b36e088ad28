using StableTune.Data;

namespace StableTune.Preparation;

/// <summary>Says before the work begins which results are there already, so that nothing is overwritten or left out unseen.</summary>
internal static class ExistingResults
{
    private const int Shown = 3;

    /// <summary>The problem of a tool whose results are there; none where the user has said what becomes of them.</summary>
    /// <param name="option">The option that names where results go, as code names it.</param>
    /// <param name="folder">Its value.</param>
    /// <param name="results">The files that would be written, or some of them.</param>
    /// <param name="overwrite">Whether they may be written again.</param>
    /// <param name="keep">Whether they stay, and their images are left out; null where the tool has no such option.</param>
    internal static void ThrowIfAny(string option, string folder, IEnumerable<string> results, bool overwrite, bool? keep)
    {
        if (overwrite || keep == true) return;
        var there = results.Distinct(StringComparer.Ordinal).Where(File.Exists).ToList();
        if (there.Count == 0) return;
        var names = string.Join(", ", there.Take(Shown).Select(Path.GetFileName)) + (there.Count > Shown ? " ..." : "");
        throw new InvalidOptionsException([new(option, folder, $"{there.Count} of the results are there already: {names}",
            keep is null ? "set Overwrite to write them again, or name another folder"
                : "set Overwrite to write them again, KeepExisting to leave their images out, or name another folder")]);
    }
}
