using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;

namespace StableTune.Torch.Loading;

/// <summary>The system's C++ library, whose versions are called <c>GLIBCXX_3.4.n</c>.</summary>
internal static partial class LibStdCxx
{
    /// <summary>The version that TorchSharp wants and can do without.</summary>
    /// <remarks>Its only symbol, <c>_ZSt21ios_base_library_initv</c>, is never called.</remarks>
    internal const string Dispensable = "GLIBCXX_3.4.32";

    private const string File = "libstdc++.so.6";

    /// <summary>The version, such as <c>GLIBCXX_3.4.32</c>, that a message of the system's loader misses; null for others.</summary>
    /// <remarks>The loader's messages are translated; names of versions are not.</remarks>
    internal static string? MissingVersion(string message) => Version().Match(message) is { Success: true } match ? match.Value : null;

    /// <summary>The path of the system's library, "libstdc++.so.6" when unknown, and its newest version, null when unknown.</summary>
    internal static (string Path, string? Newest) OfSystem()
    {
        _ = NativeLibrary.TryLoad(File, out _);
        return LoadedLibraries.Find(File) is { } path ? (path, NewestIn(path)) : (File, null);
    }

    /// <summary>The newest version that a library names; null when it names none or cannot be read.</summary>
    internal static string? NewestIn(string path)
    {
        try
        {
            var text = System.Text.Encoding.Latin1.GetString(System.IO.File.ReadAllBytes(path));
            return Version().Matches(text).Select(match => match.Value).MaxBy(Number);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static Version Number(string version)
        => System.Version.TryParse(version["GLIBCXX_".Length..], out var number) ? number : new Version(0, 0);

    [GeneratedRegex(@"GLIBCXX_[0-9]{1,4}\.[0-9]{1,4}(\.[0-9]{1,4})?")]
    private static partial Regex Version();
}
