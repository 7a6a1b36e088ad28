using StableTune.Adapters;
using StableTune.Models;

namespace StableTune.Checkpoints;

/// <summary>A model's modules as places of adapters.</summary>
internal static class AdapterHostsOfModel
{
    /// <summary>Of modules, which may be on <c>META</c>.</summary>
    /// <param name="unet">The UNet; null for none.</param>
    /// <param name="options">Its architecture; null without it.</param>
    /// <param name="textEncoders">The text encoders.</param>
    public static AdapterHosts Of(nn.Module? unet, UNetOptions? options, IReadOnlyList<nn.Module> textEncoders)
    {
        // SDXL's adapters have the names of single-file checkpoints, whose blocks are numbered through.
        var layout = unet is not null && options is { TakesAddedConditions: true } ? KeyMap.UNet(options, prefix: "") : null;
        return new AdapterHosts(unet, textEncoders) { UNetPaths = layout is null ? null : path => layout.ToFile(path)?.Name };
    }

    /// <summary>Of a loaded model.</summary>
    public static AdapterHosts Of(StableDiffusionModel model) =>
        Of(model.UNet, model.UNet.Options, [.. model.TextEncoders]);
}
