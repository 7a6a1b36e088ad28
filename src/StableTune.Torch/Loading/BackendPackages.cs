namespace StableTune.Torch.Loading;

/// <summary>The packages that bring libtorch, and how messages tell people to add and remove them.</summary>
internal static class BackendPackages
{
    /// <summary>The command that adds libtorch for the processor.</summary>
    internal const string AddCpu = "dotnet add package StableTune";

    /// <summary>The package that brings libtorch with CUDA on this system; null where there is none.</summary>
    internal static string? Cuda { get; } =
        NativeFiles.Platform switch { "linux-x64" => "StableTune.Cuda.Linux", "win-x64" => "StableTune.Cuda.Windows", _ => null };

    /// <summary>How to exchange the processor's package for the one with CUDA; where there is none, that there is none.</summary>
    internal static string HowToGetCuda { get; } = Cuda is null
        ? $"There is no package with CUDA for {NativeFiles.Platform}: use the device \"cpu\"."
        : $"Exchange the package: `dotnet remove package StableTune` (or TorchSharp-cpu) and `dotnet add package {Cuda}`; "
            + "or use the device \"cpu\".";
}
