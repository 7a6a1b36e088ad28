using System.CommandLine;
using StableTune.Formats;

namespace StableTune.Tool.Commands;

/// <summary>The hashes by which programs know files; written into adapter files by sd-scripts' <c>precalculate_hashes</c>.</summary>
internal sealed class HashCommand : ToolCommand
{
    private readonly Argument<string[]> _files;
    private readonly Option<bool> _write;

    public HashCommand() : base("hash", "Compute the hashes of weights files")
    {
        _files = Argument<string[]>("files", "The files");
        _files.Arity = ArgumentArity.OneOrMore;
        _write = Flag("write", "Write sshs_model_hash and sshs_legacy_hash into safetensors files");
    }

    protected override void Run(ParseResult arguments, ToolRun run)
    {
        foreach (var path in arguments.GetRequiredValue(_files))
        {
            if (arguments.GetValue(_write)) WeightHashes.AddToMetadata(path, cancellationToken: run.Cancellation);
            var whole = WeightHashes.OfFile(path, null, run.Cancellation);
            run.Output.WriteLine(path);
            Line("sha256", whole.Sha256);
            Line("AutoV2", whole.AutoV2);
            Line("old hash", whole.Old);
            using var file = TensorFile.Open(path);
            var own = WeightHashes.Recompute(file, run.Cancellation);
            Line("sshs_model_hash", own.Model, file.Metadata.GetValueOrDefault("sshs_model_hash"));
            Line("LyCORIS", WeightHashes.Lycoris(file, cancellationToken: run.Cancellation));
            Line("sshs_legacy_hash", own.Legacy, file.Metadata.GetValueOrDefault("sshs_legacy_hash"));
        }

        void Line(string name, string hash, string? stored = null) => run.Output.WriteLine(
            $"  {name,-18} {hash}{(stored is null || stored == hash ? "" : $" (the file says {stored})")}");
    }
}
