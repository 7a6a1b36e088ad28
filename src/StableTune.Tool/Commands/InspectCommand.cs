using System.CommandLine;
using StableTune.Adapters;
using StableTune.Checkpoints;
using StableTune.Training;

namespace StableTune.Tool.Commands;

/// <summary>What a file or folder is; of adapters also how strong they are: sd-scripts' <c>networks/check_lora_weights.py</c>.</summary>
internal sealed class InspectCommand : ToolCommand
{
    private readonly Argument<string> _path;
    private readonly Option<bool> _json, _hashes, _norms, _overwrite;
    private readonly Option<string?> _picture;

    public InspectCommand() : base("inspect", "Say what a model or adapter is, and how strong an adapter's layers are")
    {
        _path = Argument<string>("path", "A file or folder");
        _json = Flag("json", "As JSON");
        _hashes = Flag("hashes", "Compute the hashes");
        _norms = Flag("norms", "Of an adapter: norms and sizes of the weights by block and layer");
        _picture = Optional<string?>("heat_map", "Of a LoRA: a picture of the norms, .png");
        _overwrite = Flag("overwrite", "Replace a picture that is there already");
    }

    protected override void Run(ParseResult arguments, ToolRun run)
    {
        var path = arguments.GetRequiredValue(_path);
        var picture = arguments.GetValue(_picture);
        if (picture is not null) Check(picture, arguments.GetValue(_overwrite));
        var inspection = ModelInspector.Inspect(
            path, new InspectOptions { Hashes = arguments.GetValue(_hashes), Progress = run.Progress }, run.Cancellation);
        run.Output.WriteLine(arguments.GetValue(_json) ? inspection.ToJson() : inspection.ToString().TrimEnd());
        if (!arguments.GetValue(_norms) && picture is null) return;
        var norms = AdapterNorms.Measure(path, run.Progress, run.Cancellation);
        if (arguments.GetValue(_norms)) run.Output.WriteLine($"\n{norms}");
        if (picture is null) return;
        var bytes = AdapterHeatMap.ToPng(norms);
        AtomicFile.Write(picture, stream => stream.Write(bytes));
        run.Output.WriteLine(picture);
    }

    private static void Check(string picture, bool overwrite)
    {
        if (!AtomicFile.CanWrite(picture, out var reason))
            throw new InvalidOptionsException([new("--heat_map", picture, reason, "name a file in a folder that can be written to")]);
        if (File.Exists(picture) && !overwrite)
            throw new InvalidOptionsException(
                [new("--heat_map", picture, "there is such a file already", "give another name, or --overwrite")]);
    }
}
