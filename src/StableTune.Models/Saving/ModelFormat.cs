namespace StableTune;

/// <summary>The forms in which whole models are stored.</summary>
public enum ModelFormat
{
    /// <summary>One file under the original (LDM) names, safetensors.</summary>
    Safetensors,

    /// <summary>One file under the original (LDM) names, a torch checkpoint.</summary>
    Ckpt,

    /// <summary>A folder in diffusers' layout whose weights are torch files (<c>.bin</c>).</summary>
    Diffusers,

    /// <summary>A folder in diffusers' layout whose weights are safetensors.</summary>
    DiffusersSafetensors,
}
