using System.Runtime.Intrinsics.X86;

namespace StableTune.Torch;

/// <summary>What is to be known of this machine's processor.</summary>
internal static class Processor
{
    /// <summary>Whether Intel made it.</summary>
    public static bool IsIntel { get; } = Vendor() == (0x756e6547, 0x49656e69, 0x6c65746e);   // "Genu", "ineI", "ntel"

    private static (int, int, int) Vendor()
    {
        if (!X86Base.IsSupported) return default;
        var (_, first, third, second) = X86Base.CpuId(0, 0);
        return (first, second, third);
    }
}
