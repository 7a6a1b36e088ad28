using StableTune.Models;
using StableTune.Testing;

namespace StableTune.Preparation.Tests.Preparation.Describing.Blip;

/// <summary>Counts all tensors of the process: runs when no other test does.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class CountsTensors
{
    internal const string Name = "counts the live tensors";
}

/// <summary>Captions leave no tensor behind.</summary>
[Collection(CountsTensors.Name)]
public sealed class BlipLifetimeTests
{
    [Fact]
    public void Captioning_Repeated_LeavesNoTensors_AndTakesNone()
    {
        using var captioner = TinyBlip.Original(new NucleusSampling { MaxLength = 12 }, seed: 1);
        var images = new[] { TinyBlip.Image("a.png"), TinyBlip.Image("c.png") };
        captioner.Caption(images, CancellationToken.None);
        var before = HeldTensors.Before();
        for (var i = 0; i < 3; i++) captioner.Caption(images, CancellationToken.None);
        Assert.Equal(before, TensorCount.Live);
        Assert.Empty(captioner.Caption([], CancellationToken.None));
    }

    [Fact]
    public void Loading_AndDisposing_LeavesNoTensors_AlsoWhenItFails()
    {
        TinyBlip.Original().Dispose();
        var before = HeldTensors.Before();
        TinyBlip.Original().Dispose();
        var wide = TinyBlip.Architecture() with { Text = TinyBlip.Architecture().Text with { IntermediateSize = 65 } };
        Assert.ThrowsAny<IOException>(() => BlipCaptioner.Load(TinyBlip.File,
            new() { Architecture = wide, Vocabulary = Fixtures.Path("blip", "vocab.txt") }));
        // What the model cannot do is said when it is there, not at the first picture.
        Assert.Contains("the model has places for 80 tokens", Assert.Throws<InvalidOptionsException>(() =>
            TinyBlip.Original(new BeamSearch { MaxLength = 81 })).Message, StringComparison.Ordinal);
        Assert.Contains("tokens already", Assert.Throws<InvalidOptionsException>(() =>
            TinyBlip.Original(new BeamSearch { MaxLength = 4, MinLength = 1 })).Message, StringComparison.Ordinal);
        Assert.Equal(before, TensorCount.Live);
    }
}
