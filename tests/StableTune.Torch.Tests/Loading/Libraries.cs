using StableTune.Torch.Loading;

namespace StableTune.Torch.Tests.Loading;

/// <summary>The native libraries of Linux that the tests look at; they are in the output on every system.</summary>
internal static class Libraries
{
    internal static string Folder { get; } = Path.Combine(AppContext.BaseDirectory, "runtimes", "linux-x64", "native");

    internal static string TorchSharp { get; } = Path.Combine(Folder, "libLibTorchSharp.so");

    internal static bool IsLinux { get; } = OperatingSystem.IsLinux() && NativeFiles.Platform == "linux-x64";

    /// <summary>Whether the tests run where TorchSharp's library does not load as it is.</summary>
    internal static bool IsOlderSystem { get; } = IsLinux && LibStdCxx.OfSystem().Newest is { } newest && Number(newest) < 32;

    private static int Number(string version) => int.Parse(version.Split('.')[^1]);
}
