using System.Globalization;
using StableTune;
using StableTune.Checkpoints;
using StableTune.Diffusion;
using StableTune.Imaging;
using StableTune.Samples;
using StableTune.Samples.World;

// Trains a model from nothing on drawn pictures, and measures how often it draws what a prompt says. It takes an hour or two; a run
// that was interrupted goes on where its last state was written when it is started again.
//   run.sh FromScratch [--out FOLDER] [--prompts N] [--quick]      out/from-scratch, 500 prompts; --quick takes a few steps of each stage
//   run.sh FromScratch --measure MODEL [--out FOLDER] [--prompts N]    measures a model that is there
var quick = args.Contains("--quick");
string[] rest = [.. args.Where(argument => argument != "--quick")];
if (!int.TryParse(Option("--prompts") ?? (quick ? "4" : "500"), NumberStyles.None, CultureInfo.InvariantCulture, out var prompts)
    || prompts == 0 || rest.Length % 2 != 0
    || rest.Where((_, i) => i % 2 == 0).Any(name => name is not ("--out" or "--prompts" or "--measure")))
{
    Console.Error.WriteLine($"\"{string.Join(' ', args)}\" is not understood. "
        + "Usage: run.sh FromScratch [--out FOLDER] [--prompts N] [--quick] [--measure MODEL]");
    return 2;
}

var output = Path.GetFullPath(Option("--out") ?? Path.Combine("out", "from-scratch"));
try
{
    var trained = Option("--measure") ?? new Curriculum(output, quick ? CurriculumOptions.Quick : new CurriculumOptions(),
        new ConsoleProgress(Console.Out, interactive: !Console.IsOutputRedirected)).Train();
    Console.WriteLine($"model         {trained}");
    using var model = ModelLoader.Load(trained);
    var measured = Measurement.Of(new TextToImagePipeline(model), Measurement.Scenes(prompts));
    Console.WriteLine(measured.Describe());
    var sheet = Path.Combine(output, "sheet.png");
    ImageFile.SavePng(sheet, Sheets.Draw([.. measured.Answers.Take(48)]));
    Console.WriteLine($"contact sheet {sheet}");
    return 0;
}
catch (Exception e) when (e is InvalidOptionsException or InvalidFileException or IOException or UnauthorizedAccessException)
{
    Console.Error.WriteLine(e.Message);
    return 2;
}

string? Option(string name) => Array.IndexOf(rest, name) is var i and >= 0 && i + 1 < rest.Length ? rest[i + 1] : null;
