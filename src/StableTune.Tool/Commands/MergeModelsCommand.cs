using System.CommandLine;
using StableTune.Checkpoints;
using StableTune.Models;

namespace StableTune.Tool.Commands;

/// <summary>Whole models: sd-scripts' <c>tools/merge_models.py</c>, and more.</summary>
internal sealed class MergeModelsCommand : ModelCommand
{
    private readonly Option<string[]> _models;
    private readonly Option<double[]?> _ratios, _blocks;
    private readonly Option<string> _output;
    private readonly Option<bool> _difference, _unetOnly, _keepVae, _keepText;

    public MergeModelsCommand() : base(
        "merge-models", "Merge models: their weighted mean, or the difference of two added to a third", "saving_precision")
    {
        _models = Required<string[]>("models", "The models: files or folders; with --add_difference A, B and C");
        _ratios = Optional<double[]?>("ratios", "The weight of each, made to add up to 1; with --add_difference one number");
        _output = Required<string>("output", "The file (.safetensors, .ckpt) or folder to write");
        _difference = Flag("add_difference", "A + ratio (B - C)");
        _blocks = Optional<double[]?>("block_weights", "The part of the second model (or the difference) by block: 25 numbers, SDXL 23");
        _unetOnly = Flag("unet_only", "Merge the UNet; text encoders and VAE are the first model's");
        _keepVae = Flag("keep_vae", "The VAE is the first model's");
        _keepText = Flag("keep_text_encoder", "The text encoders are the first model's");
    }

    protected override void Run(ParseResult arguments, ToolRun run)
    {
        var (models, ratios) = (arguments.GetRequiredValue(_models), arguments.GetValue(_ratios) ?? []);
        var options = new ModelMergeOptions
        {
            Parts = Parts(arguments), BlockWeights = arguments.GetValue(_blocks) is { Length: > 0 } blocks ? blocks : null,
            Saving = Saving(arguments, run),
        };
        var isDifference = arguments.GetValue(_difference);
        var (files, numbers) = isDifference ? (3, 1) : (models.Length, models.Length);
        if (models.Length != files)
            throw new InvalidOptionsException(
                [new("--models", $"{models.Length} model(s)", "an added difference has three", "give A, B and C")]);
        if (ratios.Length > 0 && ratios.Length != numbers)
            throw new InvalidOptionsException(
                [new("--ratios", $"{ratios.Length} number(s)", $"there must be {numbers}", "give as many, or none for 1 each")]);
        var output = arguments.GetRequiredValue(_output);
        run.Report(isDifference
            ? ModelMerger.AddDifference(
                models[0], models[1], models[2], ratios is [var ratio] ? ratio : 1, output, options, run.Cancellation)
            : ModelMerger.WeightedSum(
                [.. models.Select((model, i) => new WeightedModel(model, ratios.Length > 0 ? ratios[i] : 1))], output, options,
                run.Cancellation));
    }

    private ModelParts Parts(ParseResult arguments)
    {
        if (arguments.GetValue(_unetOnly)) return ModelParts.UNet;
        return ModelParts.All & ~(arguments.GetValue(_keepVae) ? ModelParts.Vae : 0)
            & ~(arguments.GetValue(_keepText) ? ModelParts.TextEncoder : 0);
    }
}
