namespace StableTune.Adapters;

/// <summary>The parts of a model that adapters can be attached to.</summary>
[Flags]
public enum AdapterParts
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>The UNet.</summary>
    UNet = 1,

    /// <summary>The text encoder, or all of them.</summary>
    TextEncoder = 2,

    /// <summary>Both.</summary>
    Both = UNet | TextEncoder,
}
