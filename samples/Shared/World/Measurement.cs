using System.Globalization;
using StableTune.Diffusion;
using StableTune.Imaging;

namespace StableTune.Samples.World;

/// <summary>A scene that was asked for, what came, and how it was read.</summary>
internal sealed record Answer(Scene Scene, string Prompt, PixelImage Image, SceneReading Reading)
{
    internal bool IsRight => Reading.Shows(Scene);
}

/// <summary>How often a model draws what the prompt says.</summary>
internal sealed record Measurement(IReadOnlyList<Answer> Answers)
{
    internal double Right => Share(answer => answer.IsRight);

    internal double Share(Func<Answer, bool> isRight) => Answers.Count == 0 ? 0 : Answers.Count(isRight) / (double)Answers.Count;

    /// <summary>The scenes that are asked for: the same for each model.</summary>
    internal static IReadOnlyList<Scene> Scenes(int count, int seed = 2024)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => Scene.Draw(random))];
    }

    /// <summary>How a picture is drawn, here and in all samples.</summary>
    internal static TextToImageOptions Drawing(string prompt, long seed) => new()
    {
        Prompt = prompt, Width = Scene.Side, Height = Scene.Side, Steps = 16, GuidanceScale = 3, Seed = seed,
    };

    /// <summary>Asks a pipeline for scenes, and reads what it draws.</summary>
    /// <param name="pipeline">The model.</param>
    /// <param name="scenes">What is asked for.</param>
    /// <param name="words">The prompts; null for the scenes' own captions.</param>
    internal static Measurement Of(TextToImagePipeline pipeline, IReadOnlyList<Scene> scenes, Func<Scene, string>? words = null) =>
        new([.. scenes.Select((scene, i) =>
        {
            var prompt = words?.Invoke(scene) ?? scene.Caption;
            var image = pipeline.Generate(Drawing(prompt, seed: 1000 + i));
            return new Answer(scene, prompt, image, SceneReader.Read(image));
        })]);

    /// <summary>The shares of right pictures, of all and by what is looked at.</summary>
    internal string Describe()
    {
        var heldOut = new Measurement([.. Answers.Where(answer => answer.Scene.IsHeldOut)]);
        var places = new Measurement([.. Answers.Where(answer => answer.Scene.Place is not null)]);
        string Percent(Func<SceneReading, Scene, bool> isRight) =>
            Share(answer => isRight(answer.Reading, answer.Scene)).ToString("P1", CultureInfo.InvariantCulture);
        return string.Create(CultureInfo.InvariantCulture, $"""
            {Right:P1} of {Answers.Count} pictures show what the prompt says
              background {Percent((reading, scene) => reading.HasBackground(scene))}
              number {Percent((reading, scene) => reading.HasCount(scene))}
              shape {Percent((reading, scene) => reading.HasShape(scene))}
              colour {Percent((reading, scene) => reading.HasColor(scene))}
              place {places.Share(a => a.Reading.HasPlace(a.Scene)):P1} of the {places.Answers.Count} that say one
              all of it {heldOut.Right:P1} of the {heldOut.Answers.Count} whose combination of shape and colours no training picture had
            """);
    }
}
