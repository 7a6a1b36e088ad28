using StableTune;
using StableTune.Samples;

// Trains what run.toml says; its paths are given on the command line, which goes before the file, as in sd-scripts.
//   bash samples/run.sh TomlRun [FOLDER [--max_train_steps 20 ...]]       out/toml-run
var output = Path.GetFullPath(args.FirstOrDefault() ?? Path.Combine("out", "toml-run"));
try
{
    TinyModel.Unpack(Path.Combine(output, "model"));
    var run = RunConfiguration.Parse(
    [
        "--config_file", Path.Combine(AppContext.BaseDirectory, "run.toml"),
        "--pretrained_model_name_or_path", Path.Combine(output, "model"),
        "--train_data_dir", Path.Combine(AppContext.BaseDirectory, "images"), "--output_dir", output, .. args.Skip(1),
    ]);
    foreach (var note in run.Notes) Console.WriteLine($"note      {note}");

    // The same builder that code uses: more can be said to it.
    var result = run.Builder.WithLossCurve(Path.Combine(output, "loss.png")).Train(new ConsoleProgress(Console.Out, interactive: false));
    File.WriteAllText(Path.Combine(output, "understood.toml"), run.ToToml());
    Console.WriteLine($"steps     {result.Steps}");
    Console.WriteLine($"adapter   {result.Files[0]}");
    Console.WriteLine($"options   {Path.Combine(output, "understood.toml")}");
    return 0;
}
catch (Exception e) when (e is InvalidOptionsException or IOException or UnauthorizedAccessException)
{
    Console.Error.WriteLine(e.Message);
    return 2;
}
