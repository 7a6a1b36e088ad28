namespace StableTune;

/// <summary>Generations of Stable Diffusion, which differ in their text encoders and UNets.</summary>
public enum ModelVersion
{
    /// <summary>What the model's configuration, or the names and shapes in its file, say.</summary>
    Auto,

    /// <summary>Stable Diffusion 1.x: one CLIP text encoder, context of width 768.</summary>
    Sd1,

    /// <summary>Stable Diffusion 2.x: one OpenCLIP text encoder, context of width 1024.</summary>
    Sd2,

    /// <summary>Stable Diffusion XL: two text encoders, context of width 2048, conditioned on sizes.</summary>
    Sdxl,
}

/// <summary>What a UNet predicts.</summary>
public enum ModelPrediction
{
    /// <summary>What the model's configuration or a mark in its file says.</summary>
    Auto,

    /// <summary>The noise.</summary>
    Epsilon,

    /// <summary>The velocity, as SD 2.x at 768 pixels does (<c>v_parameterization</c>).</summary>
    V,

    /// <summary>The image itself.</summary>
    Sample,
}

/// <summary>The forms in which models are stored.</summary>
public enum ModelFormat
{
    /// <summary>A single <c>.safetensors</c> file with the names of the original implementation.</summary>
    Safetensors,

    /// <summary>A single checkpoint of torch (<c>.ckpt</c>, <c>.pt</c>) with the names of the original implementation.</summary>
    Ckpt,

    /// <summary>A folder in diffusers' layout with torch's <c>.bin</c> weights.</summary>
    Diffusers,

    /// <summary>A folder in diffusers' layout with <c>.safetensors</c> weights.</summary>
    DiffusersSafetensors,
}

/// <summary>What a UNet takes beside noisy latents and text.</summary>
public enum ModelKind
{
    /// <summary>Nothing: 4 channels in.</summary>
    TextToImage,

    /// <summary>A mask and the latents of the masked image: 9 channels in.</summary>
    Inpainting,

    /// <summary>A depth map: 5 channels in.</summary>
    Depth,

    /// <summary>The latents of the image to change: 8 channels in.</summary>
    InstructPix2Pix,

    /// <summary>Something else, as the number of channels tells.</summary>
    Other,
}
