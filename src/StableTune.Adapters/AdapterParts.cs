namespace StableTune.Adapters;

/// <summary>The parts of a model that adapters can be attached to.</summary>
[Flags]
public enum AdapterParts
{
    /// <summary>No part.</summary>
    None = 0,

    /// <summary>The UNet.</summary>
    UNet = 1,

    /// <summary>The first text encoder, the only one of SD 1.x and 2.x.</summary>
    TextEncoder1 = 2,

    /// <summary>The second text encoder, which SDXL has.</summary>
    TextEncoder2 = 4,

    /// <summary>All text encoders.</summary>
    TextEncoder = TextEncoder1 | TextEncoder2,

    /// <summary>The UNet and all text encoders.</summary>
    All = UNet | TextEncoder,
}
