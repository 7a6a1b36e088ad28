using System.Runtime.Versioning;
using System.Security.Cryptography;

namespace StableTune.Torch.Loading;

/// <summary>TorchSharp's native library, changed by one bit so that it loads where libstdc++ lacks one version.</summary>
[SupportedOSPlatform("linux")]
internal sealed class PatchedTorchSharp
{
    private readonly byte[] _content;
    private readonly string _name;

    /// <param name="original">The library as the package has it; it is only read.</param>
    /// <exception cref="InvalidDataException">The library is not as expected.</exception>
    internal PatchedTorchSharp(string original)
    {
        var bytes = File.ReadAllBytes(original);
        _name = $"libLibTorchSharp-{Convert.ToHexStringLower(SHA256.HashData(bytes))[..32]}.so";
        _content = VersionNeeds.Weaken(bytes, LibStdCxx.Dispensable);
    }

    /// <summary>Loads the copy from the first place that can hold it: the user's cache, the temporary folder, memory.</summary>
    /// <param name="load">Loads a library from its path and returns its handle, or throws.</param>
    /// <param name="places">The folders to keep it in, the best first.</param>
    /// <param name="failures">Receives why a place could not be used.</param>
    /// <returns>The handle; null when no place could be used.</returns>
    internal nint? Load(Func<string, nint> load, IEnumerable<string> places, ICollection<string> failures)
    {
        var user = SystemCalls.EffectiveUser();
        foreach (var place in places)
        {
            if (Try(() => load(KeptLibrary.Keep(PrivateFolder.Open(place, user), _name, _content)), failures) is { } handle) return handle;
        }
        return Try(() => LoadFromMemory(load), failures);
    }

    /// <summary>The folders that may keep the copy: one in the user's cache, one in the temporary folder.</summary>
    internal static IEnumerable<string> Places()
    {
        if (CacheFolder() is { } cache) yield return Path.Combine(cache, "stabletune", "native");
        yield return Path.Combine(Path.GetTempPath(), $"stabletune-{SystemCalls.EffectiveUser()}");
    }

    private static string? CacheFolder()
    {
        // The XDG base directory specification: a relative path is to be ignored.
        if (Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { } cache && Path.IsPathRooted(cache)) return cache;
        var home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile, Environment.SpecialFolderOption.DoNotVerify);
        return Path.IsPathRooted(home) ? Path.Combine(home, ".cache") : null;
    }

    private nint LoadFromMemory(Func<string, nint> load)
    {
        var file = SystemCalls.CreateFileInMemory("libLibTorchSharp.so");
        if (file < 0) throw new IOException("the system gives no file in memory");
        using var stream = new FileStream(new Microsoft.Win32.SafeHandles.SafeFileHandle(file, ownsHandle: true), FileAccess.Write, 0);
        stream.Write(_content);
        return load($"/proc/self/fd/{file}");
    }

    private static nint? Try(Func<nint> attempt, ICollection<string> failures)
    {
        try
        {
            return attempt();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or DllNotFoundException or BadImageFormatException)
        {
            failures.Add(e.Message.ReplaceLineEndings(" ").Trim());
            return null;
        }
    }
}
