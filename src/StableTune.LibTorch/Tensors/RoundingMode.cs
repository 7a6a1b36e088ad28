namespace StableTune.LibTorch;

/// <summary>How a quotient is rounded.</summary>
public enum RoundingMode
{
    /// <summary>Towards zero.</summary>
    trunc,

    /// <summary>Towards minus infinity.</summary>
    floor,
}

internal static class RoundingModeNames
{
    internal static string Name(this RoundingMode mode) => mode == RoundingMode.floor ? "floor" : "trunc";
}
