using System.Text;
using System.Text.RegularExpressions;

namespace StableTune.LibTorch;

/// <summary>The words for what can be wrong with the shim and libtorch: which file, wanted and found, and the remedy.</summary>
internal static partial class LoadErrors
{
    internal const string Install = "bash src/StableTune.LibTorch/native/install-deps.sh";
    private const string Marker = "StableTune shim built for libtorch ";

    internal static string ShimMissing(IReadOnlyList<string> candidates)
        => $"The native part of StableTune, {LibraryLoader.FileName}, was not found. Looked for: {string.Join(", ", candidates)}. "
         + $"Build it with `dotnet build` (needs `{Install}` once), or set {LibraryLoader.ShimVariable} to the folder that holds it.";

    /// <summary>The system's loader would not take the shim: most often libtorch is absent or another version.</summary>
    internal static string Refused(string path, string loaderMessage)
    {
        var wanted = WantedVersion(path);
        var reason = LoaderReason().Match(loaderMessage) is { Success: true } match ? match.Value.Trim() : loaderMessage.Trim();
        var text = new StringBuilder($"{path} cannot be loaded: {reason}. ");
        text.Append(wanted is null ? "It is not a StableTune shim. " : $"It was built for libtorch {wanted}. ");
        var found = FindLibTorch(["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/local/lib", "/usr/lib"]);
        text.Append(found is null ? "No libtorch was found in the system's folders. " : $"The system has {found}. ");
        text.Append($"Run `{Install}` and `dotnet build` again, or set {LibraryLoader.LibTorchVariable} to the folder of the libtorch it was built for.");
        return text.ToString();
    }

    internal static string WrongVersion(string path, string wanted, string found, string libtorchPath)
        => $"{path} was built for libtorch {wanted}, but libtorch {found} is loaded from {libtorchPath}. "
         + $"Rebuild with `dotnet build` against that libtorch (set {LibraryLoader.LibTorchVariable} to its folder), "
         + $"or set {LibraryLoader.LibTorchVariable} to the folder of libtorch {wanted}.";

    internal static string WrongContract(string path, int wanted, int? found)
        => $"{path} is {(found is null ? "not a StableTune shim" : $"a shim of contract {found}")}, this StableTune needs contract {wanted}. "
         + $"Delete it and run `dotnet build` again, or correct {LibraryLoader.ShimVariable}.";

    /// <summary>The binary interface of libtorch holds within one minor version.</summary>
    internal static bool Fits(string wanted, string found) => MajorMinor(wanted) == MajorMinor(found);

    private static string MajorMinor(string version) => string.Join('.', version.Split('.', '+').Take(2));

    /// <summary>The version in libtorch's own account of its build, or null.</summary>
    internal static string? VersionOf(string configuration)
        => VersionSetting().Match(configuration) is { Success: true } match ? match.Groups[1].Value : null;

    /// <summary>What the shim was built for, read from the file itself because the loader refuses it; null when it is no shim.</summary>
    internal static string? WantedVersion(string path)
    {
        try
        {
            var bytes = File.ReadAllBytes(path);
            var at = bytes.AsSpan().IndexOf(Encoding.ASCII.GetBytes(Marker));
            if (at < 0) return null;
            var rest = bytes.AsSpan(at + Marker.Length);
            var end = rest.IndexOf((byte)';');
            return end is > 0 and < 32 ? Encoding.ASCII.GetString(rest[..end]) : null;
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <summary>The libtorch in one of these folders, with its full version in the name where links tell it; or null.</summary>
    internal static string? FindLibTorch(IEnumerable<string> folders)
        => folders.Where(Directory.Exists)
            .SelectMany(folder => Directory.EnumerateFiles(folder, "libtorch_cpu.so*"))
            .OrderByDescending(file => file.Length)
            .FirstOrDefault();

    // .NET lists every name it tried; the line that speaks of a library other than "the file itself is absent" is the reason.
    [GeneratedRegex(@"[^\n]*(undefined symbol|lib(torch|c10)[^\n]*cannot open shared object|invalid ELF header|file too short)[^\n]*")]
    private static partial Regex LoaderReason();

    [GeneratedRegex(@"TORCH_VERSION=([0-9][^,\s]*)")]
    private static partial Regex VersionSetting();
}
