using StableTune.Adapters;

namespace StableTune.Trainables;

/// <summary>Looks whether an adapter file fits a model before anything is loaded.</summary>
internal static class AdapterFileCheck
{
    /// <summary>What is wrong with the file; empty when it fits.</summary>
    /// <param name="path">The file.</param>
    /// <param name="hosts">The model's modules, which may be on <c>META</c>.</param>
    /// <param name="option">The option that names the file.</param>
    public static IReadOnlyList<OptionProblem> Problems(string path, AdapterHosts hosts, string option)
    {
        try
        {
            AdapterNetwork.FromFile(path, hosts).Dispose();
            return [];
        }
        catch (InvalidFileException fault)
        {
            return [fault.AsProblem(option)];
        }
    }
}
