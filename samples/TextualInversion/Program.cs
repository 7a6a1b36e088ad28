using System.Globalization;
using StableTune;
using StableTune.Checkpoints;
using StableTune.Diffusion;
using StableTune.Imaging;
using StableTune.Samples.World;

// Textual inversion: nothing of the model changes. A new word, "lemon", gets two vectors that stand for what eight pictures show: a
// yellow circle.
//   dotnet run --project samples/TextualInversion -- [STEPS [PROMPTS [FOLDER]]]      200 steps, 12 prompts, out/textual-inversion
var lesson = LessonArguments.Read(args, steps: 200, "textual-inversion");

var lemons = Lesson.Of(Shape.Circle, PaintColor.Named("yellow"));
var words = Lesson.Called("lemon");
Lesson.Write(Path.Combine(lesson.Output, "images"), lemons.Take(8), words);

var asked = lemons.Skip(8).Take(lesson.Prompts).ToList();
Measurement before;
using (var plain = ModelLoader.Load(lesson.Model)) before = Measurement.Of(new TextToImagePipeline(plain), asked, words);

using var result = new TrainerBuilder()
    .WithModel(lesson.Model)
    .WithImages(Path.Combine(lesson.Output, "images"), resolution: Scene.Side, captionExtensions: CaptionFiles.Any)
    .WithTextualInversion("lemon", initWord: "circle", vectors: 2)
    .WithBatchSize(8).WithLearningRate(5e-2).For(TrainingLength.Steps(lesson.Steps))
    .SaveTo(Path.Combine(lesson.Output, "lemon.safetensors")).KeepModel().Overwrite()
    .Train(new ConsoleProgress(Console.Out, interactive: !Console.IsOutputRedirected));

var after = Measurement.Of(new TextToImagePipeline(result.Model!), asked, words);
ImageFile.SavePng(Path.Combine(lesson.Output, "sheet.png"), Sheets.BeforeAfter("Textual inversion: \"lemon\" is a yellow circle",
    [("asked for a lemon", before, after)]));
Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"""
    prompts for a lemon:  {before.Right,4:P0} right before, {after.Right,4:P0} after
    the word       {result.Files[0]}
    contact sheet  {Path.Combine(lesson.Output, "sheet.png")}
    """));
