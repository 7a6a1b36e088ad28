namespace StableTune.Checkpoints;

/// <summary>Models that people call otherwise than the hub does, as ppdiffusers names them, and the samplers that it draws with: rows of a
/// table.</summary>
/// <param name="Name">The name.</param>
/// <param name="Address">What it stands for on the hub, with its revision or file where it has one.</param>
/// <param name="Scheduler">The sampler, as the class of its scheduler; null for what the model's own configuration says.</param>
internal sealed record KnownModel(string Name, string Address, string? Scheduler)
{
    private const string Ddim = "DDIMScheduler", Pndm = "PNDMScheduler", TrinArt = "naclbit/trinart_stable_diffusion_v2";

    private static readonly KnownModel[] All =
    [
        new("hakurei/waifu-diffusion", "hakurei/waifu-diffusion", Ddim),
        // The repository holds single files only.
        new("hakurei/waifu-diffusion-v1-3", "hakurei/waifu-diffusion-v1-3/wd-v1-3-float32.ckpt", Pndm),
        new(TrinArt + "_60k", TrinArt + ":diffusers-60k", Ddim),
        new(TrinArt + "_95k", TrinArt + ":diffusers-95k", Ddim),
        new(TrinArt + "_115k", TrinArt + ":diffusers-115k", Ddim),
    ];

    /// <summary>The model of this name; null for one that is called what the hub calls it. What exists on this disk is none.</summary>
    public static KnownModel? Find(string name) => File.Exists(name) || Directory.Exists(name) ? null
        : Array.Find(All, known => known.Name.Equals(name.Trim(), StringComparison.OrdinalIgnoreCase));
}
