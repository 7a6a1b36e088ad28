using StableTune.Imaging;
using StableTune.Samples.World;

namespace StableTune.SmallWorld.Tests;

/// <summary>The reader that measures the model must itself be right.</summary>
public class SceneReaderTests
{
    [Fact]
    public void DrawnPictures_AreReadAsTheyWereDrawn()
    {
        var random = new Random(6);
        var scenes = Enumerable.Range(0, 1400).Select(i => Scene.Draw(random, Shape.All[i % Shape.All.Count])).ToList();
        var wrong = scenes.Where(scene => !SceneReader.Read(scene.Paint(random)).Shows(scene)).Select(scene => scene.Caption).ToList();
        // Two of a shape may stand so near a corner of their pixels that one is read as its neighbour.
        Assert.True(wrong.Count <= 7, $"{wrong.Count} of {scenes.Count}: {string.Join("; ", wrong.Take(5))}");
    }

    [Fact]
    public void DrawnPictures_ShowNoOtherScene()
    {
        var random = new Random(7);
        for (var i = 0; i < 300; i++)
        {
            var scene = Scene.Draw(random);
            var reading = SceneReader.Read(scene.Paint(random));
            Scene[] others =
            [
                scene with { Shape = Shape.All.First(shape => shape != scene.Shape) },
                scene with { Color = PaintColor.All.First(color => color != scene.Color && color != scene.Background) },
                scene with { Background = PaintColor.All.First(color => color != scene.Color && color != scene.Background) },
                scene with { Count = 3 - scene.Count },
            ];
            Assert.All(others, other => Assert.False(reading.Shows(other), $"{scene.Caption} is read as {other.Caption}"));
            if (scene.Place is { } place)
                Assert.False(reading.Shows(scene with { Place = Place.All.First(elsewhere => elsewhere != place) }));
        }
    }

    [Fact]
    public void Noise_ShowsNothing()
    {
        var random = new Random(8);
        for (var i = 0; i < 200; i++)
        {
            var noise = new PixelImage(Scene.Side, Scene.Side);
            random.NextBytes(noise.Pixels);
            var reading = SceneReader.Read(noise);
            Assert.False(reading.Shows(Scene.Draw(random)));
            Assert.Null(reading.Background);
        }
    }

    [Fact]
    public void EmptyBackground_ShowsNoShape()
    {
        var reading = SceneReader.Read(new Canvas(Scene.Side, Scene.Side, PaintColor.Named("green").Pixel).Image);
        Assert.Equal(PaintColor.Named("green"), reading.Background);
        Assert.Empty(reading.Found);
        Assert.False(reading.Shows(new Scene(Shape.Circle, PaintColor.Named("red"), PaintColor.Named("green"))));
    }

    [Fact]
    public void Blots_AreOftenNoShape()
    {
        var random = new Random(9);
        var unknown = Enumerable.Range(0, 300).Count(_ => SceneReader.Read(Confetti.Paint(random)).Found.Any(found => found.Shape is null));
        Assert.InRange(unknown, 75, 300);
    }
}
