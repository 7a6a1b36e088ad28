using System.CommandLine;
using StableTune.Preparation;

namespace StableTune.Tool.Commands;

/// <summary>Makes masks of images: what is in front (as rembg), or what words name (CLIPSeg).</summary>
internal sealed class MasksCommand : ToolCommand
{
    private readonly Option<string> _source, _destination, _model;
    private readonly Option<string[]> _prompts;
    private readonly Option<string?> _scaling;
    private readonly Option<float?> _threshold;
    private readonly Option<int> _batch;
    private readonly Option<bool> _soft, _overwrite, _skip;

    public MasksCommand() : base("make-masks", "Mask what is in front in images, or what words name (.png)")
    {
        _source = Required<string>("src_dir", "The folder of the images");
        _destination = Required<string>("dst_dir", "The folder to write into");
        _model = Required<string>("model", "U2-Net, IS-Net or such, with --prompts CLIPSeg: an ONNX file, a folder, or a name on the hub");
        _prompts = Optional<string[]>("prompts", "What is masked, for CLIPSeg: \"a face\" \"hair\"");
        _threshold = Optional<float?>("threshold", "From which share on a place counts wholly; left out: soft masks, with --prompts 0.3");
        _scaling = Choice("scaling", "ImageNet's means, or values from -0.5 to 0.5; left out: by the network's size and last layer", null,
            "imagenet", "centered");
        _soft = Flag("soft", "Soft masks with --prompts too");
        _batch = Option("batch_size", "Images shown at once", 1);
        _overwrite = Flag("overwrite", "Replace results that are there");
        _skip = Flag("skip_existing", "Leave images with results out, as after a stop");
    }

    protected override void Run(ParseResult arguments, ToolRun run)
    {
        var options = new MaskMakingOptions
        {
            Source = arguments.GetRequiredValue(_source), Destination = arguments.GetRequiredValue(_destination),
            BatchSize = arguments.GetValue(_batch), Overwrite = arguments.GetValue(_overwrite), KeepExisting = arguments.GetValue(_skip),
        };
        InvalidOptionsException.ThrowIfAny([.. options.Validate()]);
        var (model, threshold) = (arguments.GetRequiredValue(_model), arguments.GetValue(_threshold));
        if (threshold is not null && arguments.GetValue(_soft))
            throw new InvalidOptionsException([new("--soft", true, "soft masks know no threshold", "leave --threshold out")]);
        var scaling = arguments.GetValue(_scaling);
        if (arguments.GetValue(_prompts) is { Length: > 0 } prompts)
        {
            if (scaling is not null)
                throw new InvalidOptionsException([new("--scaling", scaling, "CLIPSeg has ImageNet's means always", "leave it out")]);
            var clipSeg = new ClipSegOptions { Model = model, Prompts = prompts };
            using var source = (clipSeg with { Threshold = arguments.GetValue(_soft) ? null : threshold ?? clipSeg.Threshold })
                .Load(run.Progress, run.Cancellation);
            run.Report(MaskMaking.Run(options, source, run.Progress, run.Cancellation));
        }
        else
        {
            using var source = new ForegroundMaskOptions
            {
                Model = model, Threshold = threshold,
                Scaling = scaling is null ? null : Enum.Parse<PictureScaling>(scaling, ignoreCase: true),
            }.Load(run.Progress, run.Cancellation);
            run.Report(MaskMaking.Run(options, source, run.Progress, run.Cancellation));
        }
    }
}
