using System.Runtime.Intrinsics.X86;

namespace StableTune.Torch;

/// <summary>What is to be known of this machine's processor.</summary>
internal static class Processor
{
    /// <summary>Whether Intel made it.</summary>
    public static bool IsIntel { get; } = Vendor() == (0x756e6547, 0x49656e69, 0x6c65746e);   // "Genu", "ineI", "ntel"

    /// <summary>Whether it is asked for its caches as AMD's are, and then tells nothing: so do some virtual machines.</summary>
    public static bool HidesCaches { get; } = DoHideCaches();

    private static bool DoHideCaches()
    {
        const uint largest = 0x80000000, caches = 0x8000001D;
        const int kind = 0x1F;
        static (int Eax, int Ebx, int Ecx, int Edx) Ask(uint leaf) => X86Base.CpuId(unchecked((int)leaf), 0);
        return X86Base.IsSupported && !IsIntel && (uint)Ask(largest).Eax >= caches && (Ask(caches).Eax & kind) == 0;
    }

    private static (int, int, int) Vendor()
    {
        if (!X86Base.IsSupported) return default;
        var (_, first, third, second) = X86Base.CpuId(0, 0);
        return (first, second, third);
    }
}
