using System.Runtime.InteropServices;

namespace StableTune.Torch;

/// <summary>glibc's settings of <c>malloc</c>, which libtorch takes the memory of CPU tensors from.</summary>
internal static partial class LibC
{
    internal const int TrimThreshold = -1, TopPad = -2, MapThreshold = -3, Perturb = -6;

    /// <summary>Sets one of the above.</summary>
    /// <returns>1 when it was accepted.</returns>
    [LibraryImport("libc")]
    internal static partial int mallopt(int parameter, int value);

    /// <summary>Gives free memory back to the system.</summary>
    [LibraryImport("libc")]
    internal static partial int malloc_trim(nuint pad);
}
