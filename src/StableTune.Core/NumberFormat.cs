namespace StableTune;

/// <summary>Formats of floating-point numbers in files.</summary>
public enum NumberFormat
{
    /// <summary>32 bits, IEEE 754.</summary>
    Float32,

    /// <summary>16 bits, IEEE 754: 11 bits of precision, at most 65504.</summary>
    Float16,

    /// <summary>16 bits with the range of float32 and 8 bits of precision.</summary>
    BFloat16,
}
