using System.CommandLine;
using StableTune.Checkpoints;
using StableTune.Imaging;

namespace StableTune.Tool.Commands;

/// <summary>Draws class images that are missing, before a DreamBooth run; the options are those of diffusers and ppdiffusers.</summary>
internal sealed class ClassImagesCommand : ToolCommand
{
    private readonly Option<string> _model, _folder, _prompt;
    private readonly Option<string?> _negative;
    private readonly Option<int> _count, _batch, _steps, _resolution;
    private readonly Option<double> _scale;
    private readonly Option<long> _seed;

    public ClassImagesCommand() : base("class-images", "Draw class images that are missing in a folder")
    {
        _model = Required<string>("pretrained_model_name_or_path", "The model: a file, a diffusers folder, or a name on the hub");
        _folder = Required<string>("class_data_dir", "The folder; images that are there count");
        _prompt = Required<string>("class_prompt", "What is drawn: \"a dog\"");
        _negative = Optional<string?>("negative_prompt", "What the pictures should not show");
        _count = Option("num_class_images", "Images that are wanted in all", 100);
        _batch = Option("sample_batch_size", "Pictures drawn at the same time", 4);
        _resolution = Option("resolution", "The side of the pictures in pixels", 512);
        _steps = Option("steps", "Steps of the sampler", 50);
        _scale = Option("scale", "How strongly the prompt is followed", 7.5);
        _seed = Option("seed", "The seed of the first picture", 42L);
    }

    protected override void Run(ParseResult arguments, ToolRun run)
    {
        var side = arguments.GetValue(_resolution);
        var options = new ClassImageOptions
        {
            Folder = arguments.GetRequiredValue(_folder), Prompt = arguments.GetRequiredValue(_prompt),
            NegativePrompt = arguments.GetValue(_negative) ?? "", Count = arguments.GetValue(_count),
            BatchSize = arguments.GetValue(_batch),
            Sizes = [new PixelSize(side, side)], Steps = arguments.GetValue(_steps), GuidanceScale = arguments.GetValue(_scale),
            Seed = arguments.GetValue(_seed),
        };
        InvalidOptionsException.ThrowIfAny([.. options.Validate()]);
        var onGpu = cuda.is_available();
        using var model = ModelLoader.Load(arguments.GetRequiredValue(_model), new ModelLoadOptions
        {
            WeightType = onGpu ? ScalarType.Float16 : ScalarType.Float32, Device = onGpu ? new Device("cuda") : CPU,
            Progress = run.Progress,
        });
        var files = ClassImageGenerator.Generate(model, options, run.Progress, run.Cancellation);
        run.Output.WriteLine($"{files.Count} images drawn, {options.Count} are in {options.Folder}");
    }
}
