using StableTune.Adapters;
using StableTune.Models;

namespace StableTune.Checkpoints;

/// <summary>A model as adapters see it.</summary>
public static class ModelHosts
{
    /// <summary>The modules that adapters attach to, with the names that their files have for this kind of model.</summary>
    /// <param name="model">The model, which may be on <c>META</c>; parts that were released are passed over.</param>
    /// <param name="parts">Which parts.</param>
    public static AdapterHosts Of(StableDiffusionModel model, AdapterParts parts = AdapterParts.All)
    {
        ArgumentNullException.ThrowIfNull(model);
        var unet = parts.HasFlag(AdapterParts.UNet) && model.Parts.HasFlag(ModelParts.UNet) ? model.UNet : null;
        return Of(unet, unet?.Options, (parts & AdapterParts.TextEncoder) != 0 ? model.TextEncoders : []);
    }

    /// <summary>The same of modules that are no model together.</summary>
    /// <param name="unet">The UNet; null for none.</param>
    /// <param name="options">Its architecture; null without it.</param>
    /// <param name="textEncoders">The text encoders.</param>
    internal static AdapterHosts Of(nn.Module? unet, UNetOptions? options, IReadOnlyList<nn.Module> textEncoders)
    {
        // SDXL's adapters have the names of single-file checkpoints, whose blocks are numbered through.
        var layout = unet is not null && options is { TakesAddedConditions: true } ? KeyMap.UNet(options, prefix: "") : null;
        return new AdapterHosts(unet, textEncoders) { UNetPaths = layout is null ? null : path => layout.ToFile(path)?.Name };
    }
}
