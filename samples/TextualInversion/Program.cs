using System.Globalization;
using StableTune;
using StableTune.Checkpoints;
using StableTune.Diffusion;
using StableTune.Imaging;
using StableTune.Samples.World;

// Textual inversion: nothing of the model changes. A new word, "lemon", gets two vectors that stand for what eight pictures show: a
// yellow circle.
//   dotnet run --project samples/TextualInversion -- [STEPS [PROMPTS [FOLDER]]]      200 steps, 12 prompts, out/textual-inversion
var steps = args.Length > 0 ? int.Parse(args[0], CultureInfo.InvariantCulture) : 200;
var count = args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 12;
var output = Path.GetFullPath(args.Length > 2 ? args[2] : Path.Combine("out", "textual-inversion"));
var model = Path.Combine(AppContext.BaseDirectory, "model");

var lemons = Lesson.Of(Shape.Circle, PaintColor.Named("yellow"));
var words = Lesson.Called("lemon");
Lesson.Write(Path.Combine(output, "images"), lemons.Take(8), words);

var asked = lemons.Skip(8).Take(count).ToList();
Measurement before;
using (var plain = ModelLoader.Load(model)) before = Measurement.Of(new TextToImagePipeline(plain), asked, words);

using var result = new TrainerBuilder()
    .WithModel(model)
    .WithImages(Path.Combine(output, "images"), resolution: Scene.Side, captionExtensions: CaptionFiles.Any)
    .WithTextualInversion("lemon", initWord: "circle", vectors: 2)
    .WithBatchSize(8).WithLearningRate(5e-2).For(TrainingLength.Steps(steps))
    .SaveTo(Path.Combine(output, "lemon.safetensors")).KeepModel().Overwrite()
    .Train(new ConsoleProgress(Console.Out, interactive: !Console.IsOutputRedirected));

var after = Measurement.Of(new TextToImagePipeline(result.Model!), asked, words);
ImageFile.SavePng(Path.Combine(output, "sheet.png"), Sheets.BeforeAfter("Textual inversion: \"lemon\" is a yellow circle",
    [("asked for a lemon", before, after)]));
Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"""
    prompts for a lemon:  {before.Right,4:P0} right before, {after.Right,4:P0} after
    the word       {result.Files[0]}
    contact sheet  {Path.Combine(output, "sheet.png")}
    """));
