using System.CommandLine;
using StableTune.Preparation;

namespace StableTune.Tool.Commands;

/// <summary>A command that finds faces: what all of these take.</summary>
internal abstract class FaceCommand : ToolCommand
{
    private readonly Option<string> _model;
    private readonly Option<float> _score;

    protected FaceCommand(string name, string description) : base(name, description)
    {
        _model = Option("model", "The detector, a YuNet: a name on the hub, a folder or an ONNX file", YuNetOptions.DefaultModel);
        _score = Option("min_score", "How sure the detector must be of a face", 0.9f);
        Overwrite = Flag("overwrite", "Replace results that are there");
        SkipExisting = Flag("skip_existing", "Leave images with results out, as after a stop");
    }

    /// <summary>Replaces results that are there.</summary>
    protected Option<bool> Overwrite { get; }

    /// <summary>Leaves images with results out.</summary>
    protected Option<bool> SkipExisting { get; }

    /// <summary>Opens the detector.</summary>
    protected YuNetDetector Detector(ParseResult arguments, ToolRun run) => new YuNetOptions
    {
        Model = arguments.GetRequiredValue(_model), MinScore = arguments.GetValue(_score),
    }.Load(run.Progress, run.Cancellation);
}
