using StableTune.Samples.World;

namespace StableTune.SmallWorld.Tests;

/// <summary>Scenes, their captions and pictures.</summary>
public class SceneTests
{
    [Fact]
    public void Caption_SaysNumberColorShapePlaceAndBackground()
    {
        var (red, blue) = (PaintColor.Named("red"), PaintColor.Named("blue"));
        Assert.Equal("a red circle on a blue background", new Scene(Shape.Circle, red, blue).Caption);
        Assert.Equal("two blue crosses on a red background", new Scene(Shape.Cross, blue, red, Count: 2).Caption);
        Assert.Equal("a red star in the top left on a blue background", new Scene(Shape.Star, red, blue, Place: Place.All[0]).Caption);
    }

    [Fact]
    public void Draw_SameSeed_GivesTheSamePicture_OfTheKnownShapesAlone()
    {
        var (one, other) = (new Random(3), new Random(3));
        for (var i = 0; i < 50; i++)
        {
            var (first, second) = (Scene.Draw(one), Scene.Draw(other));
            Assert.Equal(first, second);
            Assert.Equal(first.Paint(one).Pixels, second.Paint(other).Pixels);
            Assert.Contains(first.Shape, Shape.Known);
            Assert.NotEqual(first.Color, first.Background);
        }
    }

    [Fact]
    public void HeldOut_IsAboutATenth_AndAnswersForTheCombinationAlone()
    {
        var random = new Random(4);
        var scenes = Enumerable.Range(0, 4000).Select(_ => Scene.Draw(random)).ToList();
        Assert.InRange(scenes.Count(scene => scene.IsHeldOut) / 4000.0, 0.06, 0.15);
        Assert.All(scenes.GroupBy(scene => (scene.Shape, scene.Color, scene.Background)),
            same => Assert.Single(same.Select(scene => scene.IsHeldOut).Distinct()));
    }

    [Fact]
    public void Lesson_HasEachPairOfColorsOnce_BeforeOneComesAgain()
    {
        var scenes = Lesson.Of(Shape.Heart).Take(30).ToList();
        Assert.Equal(30, scenes.Select(scene => (scene.Color, scene.Background)).Distinct().Count());
        var moons = Lesson.Of(Shape.Moon, PaintColor.Named("yellow")).Take(5).ToList();
        Assert.Equal(5, moons.Select(scene => scene.Background).Distinct().Count());
        Assert.Equal("a sks moon on a red background",
            Lesson.Called("sks moon")(new Scene(Shape.Moon, PaintColor.Named("yellow"), PaintColor.Named("red"))));
    }
}
