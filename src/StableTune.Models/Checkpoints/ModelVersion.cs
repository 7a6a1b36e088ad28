namespace StableTune;

/// <summary>The families of Stable Diffusion.</summary>
public enum ModelVersion
{
    /// <summary>Told by the file; as an option: find out.</summary>
    Auto,

    /// <summary>Stable Diffusion 1.x: one CLIP text encoder, context of width 768.</summary>
    Sd1,

    /// <summary>Stable Diffusion 2.x: one OpenCLIP text encoder, context of width 1024.</summary>
    Sd2,

    /// <summary>Stable Diffusion XL: two text encoders, context of width 2048, pooled text and sizes as added condition.</summary>
    Sdxl,
}

/// <summary>What a UNet predicts.</summary>
public enum ModelPrediction
{
    /// <summary>Told by the file; as an option: find out.</summary>
    Auto,

    /// <summary>The noise.</summary>
    Epsilon,

    /// <summary>Velocity (Salimans and Ho 2022, arXiv:2202.00512): SD 2.x at 768 pixels.</summary>
    V,
}

/// <summary>Whether a checkpoint's averaged weights are taken. Some hold an exponential moving average (EMA) beside the weights of the last step.</summary>
public enum EmaWeights
{
    /// <summary>The weights of the last step are taken.</summary>
    Ignore,

    /// <summary>The averaged weights are taken where the file has them.</summary>
    Prefer,
}
