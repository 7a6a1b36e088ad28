using StableTune.Adapters;
using StableTune.Checkpoints;
using StableTune.Models;

namespace StableTune.Trainables;

/// <summary>A model as adapters see it.</summary>
public static class ModelHosts
{
    /// <summary>The modules that adapters attach to, with the names that their files have for this kind of model.</summary>
    /// <param name="model">The model; parts that were released are passed over.</param>
    /// <param name="parts">Which parts.</param>
    public static AdapterHosts Of(StableDiffusionModel model, AdapterParts parts = AdapterParts.All)
    {
        ArgumentNullException.ThrowIfNull(model);
        var unet = parts.HasFlag(AdapterParts.UNet) && model.Parts.HasFlag(ModelParts.UNet) ? model.UNet : null;
        // SDXL's adapters have the names of single-file checkpoints, whose blocks are numbered through.
        var layout = unet is { Options.TakesAddedConditions: true } ? KeyMap.UNet(unet.Options, prefix: "") : null;
        return new AdapterHosts(unet, (parts & AdapterParts.TextEncoder) != 0 ? model.TextEncoders : [])
        {
            UNetPaths = layout is null ? null : path => layout.ToFile(path)?.Name,
        };
    }
}
