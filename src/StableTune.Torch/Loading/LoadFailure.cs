using System.Text;

namespace StableTune.Torch.Loading;

/// <summary>What is said when TorchSharp's native library is there and cannot be loaded.</summary>
internal static class LoadFailure
{
    /// <summary>The system's libstdc++ lacks a version, and a patched copy could not help.</summary>
    internal static NativeBackendException TooOld(
        string library, string wanted, (string Path, string? Newest) system, IReadOnlyCollection<string> failures, Exception cause)
    {
        var text = new StringBuilder();
        text.Append($"{library} cannot be loaded: it wants {wanted} of libstdc++, and this system's ({system.Path}) ");
        text.Append(system.Newest is { } newest ? $"ends at {newest}." : "lacks it.");
        if (failures.Count > 0) text.Append($" A patched copy did not help: {string.Join("; ", failures)}.");
        text.Append(" Use a system with GCC 13.2 or later (Debian 13, Ubuntu 24.04, RHEL 10), ");
        text.Append("or install such a libstdc++ and name its folder in LD_LIBRARY_PATH");
        const string folder = ", or let XDG_CACHE_HOME name a folder that this user owns, may write to and run files from.";
        text.Append(failures.Count > 0 ? folder : ".");
        return new NativeBackendException(text.ToString(), cause);
    }

    /// <summary>The loader refused the library for another reason.</summary>
    internal static NativeBackendException Other(string library, Exception cause)
        => new($"{library} cannot be loaded: {cause.Message.ReplaceLineEndings(" ").Trim()} "
            + "Restore and build the program again; if a file is named as missing, install the package of the system that has it.", cause);
}
