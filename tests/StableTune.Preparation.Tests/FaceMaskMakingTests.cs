using StableTune.Formats;
using StableTune.Imaging;
using StableTune.Testing;

namespace StableTune.Preparation.Tests.Preparation;

/// <summary>sd-trainer's create_mask with a host's detector.</summary>
public sealed class FaceMaskMakingTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly TemporaryFolder _out = new();

    private FaceMaskOptions Options => new() { Source = _folder.Path, Destination = _out.Path };

    public void Dispose()
    {
        _folder.Dispose();
        _out.Dispose();
    }

    [Fact]
    public void Run_MarksFacesInTheSizeOfLatents()
    {
        Pictures.Write(_folder.File("a.png"), 64, 40);
        Assert.Equal("1 done.", FaceMaskMaking.Run(Options with { Background = 0.25f },
            new Faces([new(17, 9, 20, 16), new(-30, -5, 38, 13), new(200, 200, 9, 9)])).ToString());
        using var file = NpzFile.Open(_out.File("a.npz"));
        var mask = file.ReadArray("arr_0");
        Assert.Equal([5L, 8], mask.Shape);
        // Columns 17/8 to 37/8 of rows 9/8 to 25/8, and what of the second face lies in the image.
        for (var i = 0; i < 40; i++)
            Assert.Equal((i % 8 is 2 or 3 && i / 8 is 1 or 2) || i == 0 ? 1 : 0.25f, mask.As<float>()[i]);
    }

    [Fact]
    public void Run_WithWhatCannotWork_SaysSo()
    {
        Pictures.Write(_folder.File("a.png"), 7, 40);
        Pictures.Write(_folder.File("b.png"), 16, 16);
        var report = FaceMaskMaking.Run(Options, new Faces([new(double.NaN, 0, 5, 5)]));
        Assert.Equal(["the image is 7x40, too small for a mask of an eighth of its size", "the detector gave a face that cannot be"],
            report.Skipped.Select(file => file.Reason));
        Assert.Equal(["Background"], Assert.Throws<InvalidOptionsException>(() => FaceMaskMaking.Run(Options with { Background = 2 },
            new Faces([]))).Problems.Select(problem => problem.Option.Split('.')[^1]));
    }

    private sealed class Faces(IReadOnlyList<DetectedFace> faces) : IFaceDetector
    {
        public IReadOnlyList<DetectedFace> Find(PixelImage image, CancellationToken cancellationToken) => faces;
    }
}
