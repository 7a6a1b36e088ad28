using StableTune.Imaging;

namespace StableTune.Samples.World;

/// <summary>Pictures of something new, and prompts that ask for it.</summary>
internal static class Lesson
{
    /// <summary>Single shapes of one kind, in a drawn order: each pair of colours once, then each again.</summary>
    /// <param name="shape">What is drawn.</param>
    /// <param name="color">Its colour; null for all.</param>
    /// <param name="seed">Decides the order.</param>
    internal static IEnumerable<Scene> Of(Shape shape, PaintColor? color = null, int seed = 1)
    {
        var random = new Random(seed);
        while (true)
        {
            var pairs = PaintColor.All.SelectMany(thing => PaintColor.All, (thing, behind) => (Thing: thing, Behind: behind))
                .Where(pair => pair.Thing != pair.Behind && (color is null || pair.Thing == color)).ToArray();
            random.Shuffle(pairs);
            foreach (var (thing, behind) in pairs)
                yield return new Scene(shape, thing, behind);
        }
    }

    /// <summary>Captions in which one word stands for the shape and its colour: "a lemon on a red background".</summary>
    internal static Func<Scene, string> Called(string thing) =>
        scene => scene.Caption.Replace($"{scene.Color.Name} {scene.Shape.Name}", thing, StringComparison.Ordinal);

    /// <summary>Writes pictures with their captions in files beside them.</summary>
    /// <param name="folder">Created when missing.</param>
    /// <param name="scenes">What is drawn.</param>
    /// <param name="words">The captions; null for the scenes' own.</param>
    internal static void Write(string folder, IEnumerable<Scene> scenes, Func<Scene, string>? words = null)
    {
        var number = 0;
        foreach (var scene in scenes)
            Write(folder, $"{scene.Shape.Name}-{++number}", scene.Paint(new Random(number)), words?.Invoke(scene) ?? scene.Caption);
    }

    /// <summary>Writes pictures that a model drew itself, with their prompts: training shows them again, so that it does not
    /// forget.</summary>
    internal static void Write(string folder, Measurement drawn)
    {
        for (var i = 0; i < drawn.Answers.Count; i++) Write(folder, $"own-{i + 1}", drawn.Answers[i].Image, drawn.Answers[i].Prompt);
    }

    private static void Write(string folder, string name, PixelImage image, string caption)
    {
        Directory.CreateDirectory(folder);
        ImageFile.SavePng(Path.Combine(folder, name + ".png"), image);
        File.WriteAllText(Path.Combine(folder, name + ".txt"), caption);
    }
}
