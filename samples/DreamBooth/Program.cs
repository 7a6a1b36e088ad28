using System.Globalization;
using StableTune;
using StableTune.Checkpoints;
using StableTune.Diffusion;
using StableTune.Imaging;
using StableTune.Models;
using StableTune.Samples.World;

// DreamBooth: the whole model learns one subject, a yellow moon that is called "sks moon", from eight pictures. Beside each of them it is
// shown a picture of something else that it drew itself before, so that it does not forget.
//   dotnet run --project samples/DreamBooth -- [STEPS [PROMPTS [FOLDER]]]       250 steps, 12 prompts of each kind, out/dreambooth
var lesson = LessonArguments.Read(args, steps: 250, "dreambooth");

var subject = Lesson.Of(Shape.Moon, PaintColor.Named("yellow"));
var words = Lesson.Called("sks moon");
Lesson.Write(Path.Combine(lesson.Output, "images"), subject.Take(8), words);

var asked = subject.Skip(8).Take(lesson.Prompts).ToList();
var others = Measurement.Scenes(lesson.Prompts);
Measurement before, othersBefore;
using (var plain = ModelLoader.Load(lesson.Model))
{
    var pipeline = new TextToImagePipeline(plain);
    (before, othersBefore) = (Measurement.Of(pipeline, asked, words), Measurement.Of(pipeline, others));
}

var builder = new TrainerBuilder()
    .WithModel(lesson.Model)
    .WithImages(Path.Combine(lesson.Output, "images"), resolution: Scene.Side, captionExtensions: CaptionFiles.Any)
    .WithFullTraining(ModelParts.UNet | ModelParts.TextEncoder)
    .WithBatchSize(4).WithLearningRate(5e-4).For(TrainingLength.Steps(lesson.Steps))
    .SaveTo(Path.Combine(lesson.Output, "model")).KeepModel().Overwrite();
foreach (var scene in Measurement.Scenes(8, seed: 5))
    builder.WithPriorPreservation(Path.Combine(lesson.Output, "class", scene.Caption), scene.Caption, count: 2,
        change: drawn => drawn with { Steps = 16, GuidanceScale = 3 });
using var result = builder.Train(new ConsoleProgress(Console.Out, interactive: !Console.IsOutputRedirected));

var taught = new TextToImagePipeline(result.Model!);
var (after, othersAfter) = (Measurement.Of(taught, asked, words), Measurement.Of(taught, others));
ImageFile.SavePng(Path.Combine(lesson.Output, "sheet.png"), Sheets.BeforeAfter("DreamBooth: a yellow moon is called \"sks moon\"",
    [("asked for the subject", before, after), ("asked for what it knew", othersBefore, othersAfter)]));
Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"""
    prompts for the subject:    {before.Right,4:P0} right before, {after.Right,4:P0} after
    prompts for what it knew:   {othersBefore.Right,4:P0} right before, {othersAfter.Right,4:P0} after
    the model      {Path.Combine(lesson.Output, "model")}
    contact sheet  {Path.Combine(lesson.Output, "sheet.png")}
    """));
