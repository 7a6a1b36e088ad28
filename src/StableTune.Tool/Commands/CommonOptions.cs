using System.CommandLine;
using StableTune.Adapters;
using StableTune.Checkpoints;

namespace StableTune.Tool.Commands;

/// <summary>What several commands understand alike.</summary>
internal static class CommonOptions
{
    /// <summary>The words for types of numbers, as in sd-scripts.</summary>
    public static string[] PrecisionNames { get; } = ["float", "fp32", "fp16", "bf16"];

    /// <summary>The type that a word means.</summary>
    public static ScalarType Precision(string name) => name switch
    {
        "fp16" => ScalarType.Float16,
        "bf16" => ScalarType.BFloat16,
        _ => ScalarType.Float32,
    };

    /// <summary>The device that a word means; null for none.</summary>
    public static Device? Device(string? name) => name is null ? null : device(name);

    /// <summary>Files with their ratios.</summary>
    /// <param name="models">The files.</param>
    /// <param name="ratios">As many numbers, or none for 1 each.</param>
    /// <exception cref="InvalidOptionsException">There are more or fewer numbers than files.</exception>
    public static WeightedAdapter[] Adapters(string[] models, double[]? ratios)
    {
        if (ratios is { Length: > 0 } && ratios.Length != models.Length)
            throw new InvalidOptionsException([new("--ratios", $"{ratios.Length} number(s)",
                $"there must be one for each of the {models.Length} file(s) of --models", "give as many, or none for 1 each")]);
        return [.. models.Select((model, i) => new WeightedAdapter(model, ratios is { Length: > 0 } ? ratios[i] : 1))];
    }

    /// <summary>Says what was written.</summary>
    public static void Report(this ToolRun run, SavedAdapter saved)
    {
        var ranks = saved.Ranks.Least == saved.Ranks.Most ? PythonRepr.Of(saved.Ranks.Most)
            : $"{PythonRepr.Of(saved.Ranks.Least)} to {PythonRepr.Of(saved.Ranks.Most)}";
        run.Output.WriteLine($"{saved.Path}: {PythonRepr.Of(saved.Layers)} layers, rank {ranks}");
        run.Note(saved.Notes);
    }

    /// <summary>Says what was written.</summary>
    public static void Report(this ToolRun run, SavedModel saved)
    {
        run.Output.WriteLine($"{saved.Path}: {saved.Format}");
        run.Note(saved.Notes);
    }
}
