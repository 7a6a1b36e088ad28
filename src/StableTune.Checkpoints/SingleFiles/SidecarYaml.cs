using System.Globalization;
using StableTune.Models;

namespace StableTune.Checkpoints;

/// <summary>
/// The <c>.yaml</c> beside a checkpoint, in the form of CompVis' and Stability's inference configurations: what of it matters here. Names
/// in this class' documentation are those of <c>model.params</c>.
/// </summary>
internal sealed record SidecarYaml
{
    /// <summary>The file.</summary>
    public required string Path { get; init; }

    /// <summary><c>parameterization</c>; null when it does not say, which means <c>eps</c> to the programs it is written for.</summary>
    public ModelPrediction? Prediction { get; init; }

    /// <summary><c>unet_config.params.context_dim</c>.</summary>
    public int? ContextWidth { get; init; }

    /// <summary><c>unet_config.params.num_heads</c>: heads on all levels.</summary>
    public int? Heads { get; init; }

    /// <summary><c>unet_config.params.num_head_channels</c>: channels of a head on all levels.</summary>
    public int? HeadChannels { get; init; }

    /// <summary><c>unet_config.params.norm_num_groups</c>: an addition to the format.</summary>
    public int? UNetNormGroups { get; init; }

    /// <summary><c>first_stage_config.params.ddconfig.norm_num_groups</c>: an addition to the format.</summary>
    public int? VaeNormGroups { get; init; }

    /// <summary><c>scale_factor</c>: what the VAE's latents are multiplied by.</summary>
    public double? ScaleFactor { get; init; }

    /// <summary><c>linear_start</c>: the first beta.</summary>
    public double? BetaStart { get; init; }

    /// <summary><c>linear_end</c>: the last beta.</summary>
    public double? BetaEnd { get; init; }

    /// <summary><c>timesteps</c>.</summary>
    public int? Timesteps { get; init; }

    /// <summary>The file that belongs to a checkpoint; null where there is none.</summary>
    public static string? Beside(string checkpoint) =>
        System.IO.Path.ChangeExtension(checkpoint, ".yaml") is var path && File.Exists(path) ? path : null;

    /// <summary>Reads the file.</summary>
    /// <exception cref="InvalidFileException">The file is missing, not yaml, not such a configuration, or says what cannot be.</exception>
    public static SidecarYaml Read(string path)
    {
        var root = YamlTree.Read(path);
        var model = root.At("model", "params") ?? throw new InvalidFileException(
            path, "there is no 'model.params', so it is no model's configuration.", "Is it the right file? Otherwise remove it.");
        var unet = model.At("unet_config", "params");
        var vae = model.At("first_stage_config", "params", "ddconfig");
        return new SidecarYaml
        {
            Path = path,
            Prediction = Predicted(path, model.At("parameterization")),
            ContextWidth = Whole(path, "context_dim", unet?.At("context_dim")),
            // -1 is the original's way to say that the other one counts.
            Heads = Whole(path, "num_heads", unet?.At("num_heads"), unset: -1),
            HeadChannels = Whole(path, "num_head_channels", unet?.At("num_head_channels"), unset: -1),
            UNetNormGroups = Whole(path, "norm_num_groups", unet?.At("norm_num_groups")),
            VaeNormGroups = Whole(path, "norm_num_groups", vae?.At("norm_num_groups")),
            ScaleFactor = Number(path, "scale_factor", model.At("scale_factor")),
            BetaStart = Number(path, "linear_start", model.At("linear_start")),
            BetaEnd = Number(path, "linear_end", model.At("linear_end")),
            Timesteps = Whole(path, "timesteps", model.At("timesteps")),
        };
    }

    private static ModelPrediction? Predicted(string path, YamlValue? value) => value?.Text switch
    {
        null when value is null => null,
        "v" => ModelPrediction.V,
        "eps" => ModelPrediction.Epsilon,
        _ => throw Wrong(path, "parameterization", value, "\"v\" or \"eps\""),
    };

    private static int? Whole(string path, string name, YamlValue? value, int? unset = null)
    {
        if (value is null) return null;
        if (!int.TryParse(value.Text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number))
            throw Wrong(path, name, value, "a whole number");
        if (number == unset) return null;
        return number > 0 ? number : throw Wrong(path, name, value, "a positive number");
    }

    private static double? Number(string path, string name, YamlValue? value)
    {
        if (value is null) return null;
        return double.TryParse(value.Text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number)
            && number > 0
            ? number : throw Wrong(path, name, value, "a positive number");
    }

    private static InvalidFileException Wrong(string path, string name, YamlValue value, string expected)
    {
        var found = value.Text is not { } text ? "a list or mapping" : text.Length > 40 ? $"\"{text[..40]}...\"" : $"\"{text}\"";
        return new InvalidFileException(
            path, $"line {value.Line}: '{name}' is {found}, not {expected}.",
            "Correct it, or take the file from the model's source again.");
    }
}
