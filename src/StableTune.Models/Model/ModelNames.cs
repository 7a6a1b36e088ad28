using System.Diagnostics.CodeAnalysis;

namespace StableTune.Models;

/// <summary>The names that files have for versions and predictions. Everywhere else they are enumerations.</summary>
public static class ModelNames
{
    /// <summary>What scheduler configurations of diffusers can say: <c>epsilon</c>, <c>v_prediction</c>, <c>sample</c>.</summary>
    public static IReadOnlyList<string> Predictions { get; } = ["epsilon", "v_prediction", "sample"];

    /// <summary>The name of a prediction in scheduler configurations.</summary>
    /// <param name="prediction">The prediction.</param>
    /// <exception cref="ArgumentOutOfRangeException">It is <see cref="ModelPrediction.Auto"/>, which has no name.</exception>
    public static string Name(this ModelPrediction prediction) => prediction switch
    {
        ModelPrediction.Epsilon => "epsilon",
        ModelPrediction.V => "v_prediction",
        ModelPrediction.Sample => "sample",
        _ => throw new ArgumentOutOfRangeException(nameof(prediction), prediction, "Only what a model predicts has a name."),
    };

    /// <summary>Finds the prediction that a scheduler configuration names.</summary>
    /// <param name="name">The name.</param>
    /// <param name="prediction">The prediction.</param>
    public static bool TryParsePrediction([NotNullWhen(true)] string? name, out ModelPrediction prediction)
    {
        prediction = name switch
        {
            "epsilon" => ModelPrediction.Epsilon,
            "v_prediction" => ModelPrediction.V,
            "sample" => ModelPrediction.Sample,
            _ => ModelPrediction.Auto,
        };
        return prediction != ModelPrediction.Auto;
    }

    /// <summary>What <c>ss_base_model_version</c> of sd-scripts says of adapters for such a model: <c>sd_v1</c>, <c>sd_v2</c>,
    /// <c>sd_v2_v</c> or <c>sdxl_base_v1-0</c>.</summary>
    /// <param name="version">The model's version.</param>
    /// <param name="prediction">What it predicts.</param>
    public static string BaseName(this ModelVersion version, ModelPrediction prediction) => version switch
    {
        ModelVersion.Sdxl => "sdxl_base_v1-0",
        ModelVersion.Sd2 => prediction == ModelPrediction.V ? "sd_v2_v" : "sd_v2",
        _ => "sd_v1",
    };
}
