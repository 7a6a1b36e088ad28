namespace StableTune.LibTorch;

/// <summary>The library that computes matrix products.</summary>
/// <param name="Name"><c>OpenBLAS</c>, <c>MKL</c>, <c>BLIS</c>, <c>ATLAS</c>, <c>reference</c> or <c>unknown</c>.</param>
/// <param name="Path">Its file, links resolved; empty when it cannot be told.</param>
/// <param name="IsReference">True for the unoptimised reference implementation, some 40 times slower than the others.</param>
public sealed record BlasLibrary(string Name, string Path, bool IsReference);

/// <summary>What the engine knows about the libtorch it loaded; worked out once.</summary>
internal sealed class EngineInfo
{
    private static readonly Lazy<EngineInfo> s_instance = new(() => new EngineInfo());

    private EngineInfo()
    {
        Configuration = Native.Text(Native.st_configuration());
        Version = LoadErrors.VersionOf(Configuration) ?? Native.Text(Native.st_compiled_version());
        LibraryPath = Native.Text(Native.st_library_path());
        Blas = Classify(Native.Text(Native.st_blas_path()), Configuration);
        Warnings = WarningsFor(Blas);
    }

    internal static EngineInfo Instance => s_instance.Value;
    internal string Configuration { get; }
    internal string Version { get; }
    internal string LibraryPath { get; }
    internal BlasLibrary Blas { get; }
    internal IReadOnlyList<string> Warnings { get; }

    /// <summary>Tells the BLAS by the file its matrix product comes from, or by libtorch's account when it is linked in.</summary>
    internal static BlasLibrary Classify(string path, string configuration)
    {
        bool Path(string part) => path.Contains(part, StringComparison.OrdinalIgnoreCase);
        if (Path("openblas")) return new("OpenBLAS", path, false);
        if (Path("mkl")) return new("MKL", path, false);
        if (Path("blis")) return new("BLIS", path, false);
        if (Path("atlas")) return new("ATLAS", path, false);
        if (Path("/libblas.so")) return new("reference", path, true);
        return configuration.Contains("BLAS_INFO=mkl", StringComparison.OrdinalIgnoreCase)
            ? new("MKL", path, false)
            : configuration.Contains("BLAS_INFO=open", StringComparison.OrdinalIgnoreCase) ? new("OpenBLAS", path, false) : new("unknown", path, false);
    }

    internal static IReadOnlyList<string> WarningsFor(BlasLibrary blas) => blas.IsReference
        ? [$"BLAS is the reference one ({blas.Path}): matrix products run about 40 times slower than they could. "
            + "Install a fast one: apt-get install libopenblas0-pthread"]
        : [];
}
