using System.CommandLine;
using StableTune.Preparation;

namespace StableTune.Tool.Commands;

/// <summary>A command that finds faces: what all of these take.</summary>
internal abstract class FaceCommand : ToolCommand
{
    private const string Drawings = "drawings", Photographs = "photographs";

    private readonly Option<string?> _kind, _model;
    private readonly Option<float?> _score;

    protected FaceCommand(string name, string description) : base(name, description)
    {
        _kind = Choice("detector", "For drawings a YOLOv8, as the scripts' own detectors are for; for photographs YuNet, which knows eyes",
            Drawings, Drawings, Photographs);
        _model = Optional<string?>("model", "The detector's model: a name on the hub, a folder or an ONNX file");
        _score = Optional<float?>("min_score", "How sure the detector must be of a face; 0.25 for drawings, 0.9 for photographs");
        Overwrite = Flag("overwrite", "Replace results that are there");
        SkipExisting = Flag("skip_existing", "Leave images with results out, as after a stop");
    }

    /// <summary>Replaces results that are there.</summary>
    protected Option<bool> Overwrite { get; }

    /// <summary>Leaves images with results out.</summary>
    protected Option<bool> SkipExisting { get; }

    /// <summary>Does something with the detector.</summary>
    /// <param name="arguments">The command line.</param>
    /// <param name="run">Told of downloads.</param>
    /// <param name="needsEyes">The option that needs to know where eyes are; null for none.</param>
    /// <param name="work">What is done.</param>
    protected void WithDetector(ParseResult arguments, ToolRun run, string? needsEyes, Action<IFaceDetector> work)
    {
        var (score, name) = (arguments.GetValue(_score), arguments.GetValue(_model));
        if (arguments.GetValue(_kind) == Photographs)
        {
            var options = new YuNetOptions();
            using var detector = (options with { Model = name ?? options.Model, MinScore = score ?? options.MinScore })
                .Load(run.Progress, run.Cancellation);
            work(detector);
        }
        else
        {
            if (needsEyes is not null)
                throw new InvalidOptionsException([new(needsEyes, true, "the detector for drawings does not know where eyes are",
                    "leave it out, or give --detector photographs")]);
            var options = new YoloFaceOptions();
            using var detector = (options with { Model = name ?? options.Model, MinScore = score ?? options.MinScore })
                .Load(run.Progress, run.Cancellation);
            work(detector);
        }
    }
}
