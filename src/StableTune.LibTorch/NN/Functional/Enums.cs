namespace StableTune.LibTorch;

/// <summary>What the border that padding adds is filled with.</summary>
public enum PaddingModes
{
    /// <summary>Zeros.</summary>
    Zeros = 0,

    /// <summary>The mirror image, without the edge itself.</summary>
    Reflect = 1,

    /// <summary>The edge, repeated.</summary>
    Replicate = 2,

    /// <summary>The opposite side.</summary>
    Circular = 3,

    /// <summary>A given value.</summary>
    Constant = 4,
}

/// <summary>How values between the pixels of a grid are found.</summary>
public enum InterpolationMode
{
    /// <summary>The nearest one, rounding down as old OpenCV and PyTorch do.</summary>
    Nearest = 0,

    /// <summary>Linear between two, [B, C, W].</summary>
    Linear = 1,

    /// <summary>Linear in both directions, [B, C, H, W].</summary>
    Bilinear = 2,

    /// <summary>Cubic convolution with a = -0.75 in both directions, [B, C, H, W].</summary>
    Bicubic = 3,

    /// <summary>The mean over the area that falls into a new pixel.</summary>
    Area = 5,

    /// <summary>The nearest one, as Pillow and scikit-image choose it.</summary>
    NearestExact = 6,
}
