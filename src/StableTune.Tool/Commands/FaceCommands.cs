using System.CommandLine;
using StableTune.Imaging;
using StableTune.Preparation;

namespace StableTune.Tool.Commands;

/// <summary>Cuts images around faces: sd-scripts' <c>detect_face_rotate.py</c>.</summary>
internal sealed class FaceRotateCommand : FaceCommand
{
    private readonly Option<string> _source, _destination;
    private readonly Option<string?> _cropSize, _cropRatio;
    private readonly Option<int?> _faceSize, _minSize, _maxSize;
    private readonly Option<bool> _rotate, _fit, _multiple;

    public FaceRotateCommand() : base("detect-face-rotate", "Cut images around the faces in them, with the face's place in the name")
    {
        _source = Required<string>("src_dir", "The folder of the images");
        _destination = Required<string>("dst_dir", "The folder to write into");
        _rotate = Flag("rotate", "Turn the image until the eyes are level");
        _fit = Flag("resize_fit", "Resize the image until it just covers --crop_size");
        _faceSize = Optional<int?>("resize_face_size", "Resize the image until the face has so many pixels");
        _cropSize = Optional<string?>("crop_size", "The size to cut to: width,height");
        _cropRatio = Optional<string?>("crop_ratio", "The size to cut to as multiples of the face: horizontal,vertical");
        _minSize = Optional<int?>("min_size", "Leave faces out that are smaller");
        _maxSize = Optional<int?>("max_size", "Leave faces out that are as large or larger");
        _multiple = Flag("multiple_faces", "Cut around every face, not the largest alone");
    }

    protected override void Run(ParseResult arguments, ToolRun run)
    {
        var size = PreparationWords.Pair("--crop_size", arguments.GetValue(_cropSize));
        if (size is { } pair && (pair.First % 1 != 0 || pair.Second % 1 != 0))
            throw new InvalidOptionsException([new("--crop_size", arguments.GetValue(_cropSize), "sizes are whole pixels",
                "write 512,512")]);
        var options = new FaceCroppingOptions
        {
            Source = arguments.GetRequiredValue(_source), Destination = arguments.GetRequiredValue(_destination),
            Rotate = arguments.GetValue(_rotate), FitToCrop = arguments.GetValue(_fit), FaceSize = arguments.GetValue(_faceSize),
            CropSize = size is { } whole ? new PixelSize((int)whole.First, (int)whole.Second) : null,
            CropRatio = PreparationWords.Pair("--crop_ratio", arguments.GetValue(_cropRatio)), MinSize = arguments.GetValue(_minSize),
            MaxSize = arguments.GetValue(_maxSize), MultipleFaces = arguments.GetValue(_multiple),
            Overwrite = arguments.GetValue(Overwrite), KeepExisting = arguments.GetValue(SkipExisting),
        };
        InvalidOptionsException.ThrowIfAny([.. options.Validate()]);
        WithDetector(arguments, run, options.Rotate ? "--rotate" : null, detector =>
            run.Report(FaceCropping.Run(options, detector, run.Progress, run.Cancellation)));
    }
}

/// <summary>Makes masks of faces: sd-trainer's <c>create_mask.py</c>.</summary>
internal sealed class FaceMaskCommand : FaceCommand
{
    private readonly Option<string> _source, _destination;
    private readonly Option<float> _background;
    private readonly Option<bool> _pictures;

    public FaceMaskCommand() : base("create-mask", "Make masks of the faces in images, in the size of latents (.npz)")
    {
        _source = Required<string>("path", "The folder of the images, in the size in which they are trained", "-p");
        _destination = Required<string>("output_path", "The folder to write into", "-o");
        _background = Option("background", "How much what is no face counts, 0 to 1", 0.05f);
        _pictures = Flag("png", "Masks as pictures in the size of the images; those without a face are left out");
    }

    protected override void Run(ParseResult arguments, ToolRun run)
    {
        var options = new FaceMaskOptions
        {
            Source = arguments.GetRequiredValue(_source), Destination = arguments.GetRequiredValue(_destination),
            Background = arguments.GetValue(_background), Overwrite = arguments.GetValue(Overwrite),
            KeepExisting = arguments.GetValue(SkipExisting),
        };
        InvalidOptionsException.ThrowIfAny([.. options.Validate()]);
        var pictures = new MaskMakingOptions
        {
            Source = options.Source, Destination = options.Destination, Overwrite = options.Overwrite, KeepExisting = options.KeepExisting,
        };
        WithDetector(arguments, run, null, detector => run.Report(arguments.GetValue(_pictures)
            ? MaskMaking.Run(pictures, new FaceMaskSource(detector, (byte)((options.Background * 255) + 0.5f)), run.Progress,
                run.Cancellation)
            : FaceMaskMaking.Run(options, detector, run.Progress, run.Cancellation)));
    }
}
