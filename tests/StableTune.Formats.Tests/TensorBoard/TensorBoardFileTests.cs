using System.Text;
using StableTune.Testing;

namespace StableTune.Formats.Tests;

public sealed class TensorBoardFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Scalars_Text_Image_Histogram_ComeBack()
    {
        string path;
        using (var file = new TensorBoardFile(_folder.File("run"), new Clock()))
        {
            path = file.Path;
            file.Scalars([new("loss/current", 0.25), new("lr/unet", 1e-4)], 7);
            file.Scalars([], 8);
            file.Text("configuration", "rank = 4\nname = Frösche", 0);
            file.Image("samples/00", [1, 2, 3], 64, 32, 1L << 40);
            file.Histogram("weights", [0, 1, 2], [3, 4, 5], new(-1, 1.5, 12, 3.25, 9), 2);
        }

        Assert.StartsWith("events.out.tfevents.1700000000.", Path.GetFileName(path), StringComparison.Ordinal);
        var (version, values) = EventFile.Read(path);
        Assert.Equal("brain.Event:2", version);
        Assert.Equal(["loss/current", "lr/unet", "configuration", "samples/00", "weights"], values.Select(value => value.Tag));
        Assert.Equal([7, 7, 0, 1L << 40, 2], values.Select(value => value.Step));
        Assert.All(values, value => Assert.Equal(1_700_000_000.25, value.Time));
        Assert.Equal((0.25f, 1e-4f), (values[0].Scalar, values[1].Scalar));

        var text = values[2].Message(8);
        Assert.Equal(7ul, text.Single(field => field.Field == 1).Value);                                   // DT_STRING
        Assert.Equal("rank = 4\nname = Frösche", Encoding.UTF8.GetString((byte[])text.Single(field => field.Field == 8).Value));
        var plugin = EventFile.Parse((byte[])Assert.Single(values[2].Message(9)).Value);
        Assert.Equal("text", Encoding.UTF8.GetString((byte[])Assert.Single(plugin).Value));

        Assert.Equal([32ul, 64ul, 3ul], values[3].Message(4).Take(3).Select(field => field.Value));
        Assert.Equal([1, 2, 3], (byte[])values[3].Message(4)[3].Value);
        var histogram = values[4].Message(5);
        Assert.Equal([-1.0, 1.5, 12.0, 3.25, 9.0], histogram.Take(5).Select(field => field.Value));
        Assert.Equal([3.0, 4.0, 5.0], Enumerable.Range(0, 3).Select(i => BitConverter.ToDouble((byte[])histogram[6].Value, 8 * i)));
    }

    [Fact]
    public void EveryEvent_IsOnTheDiskAtOnce()
    {
        using var file = new TensorBoardFile(_folder.Path);
        for (var step = 1; step <= 3; step++)
        {
            file.Scalars([new("loss", step)], step);
            Assert.Equal(step, EventFile.Read(file.Path).Values.Count);
        }
    }

    [Fact]
    public void TwoFilesOfAFolder_HaveTwoNames()
    {
        using var first = new TensorBoardFile(_folder.Path, new Clock());
        using var second = new TensorBoardFile(_folder.Path, new Clock());
        Assert.NotEqual(first.Path, second.Path);
    }

    [Fact]
    public void Histogram_WithoutACountForEachBucket_IsRefused()
    {
        using var file = new TensorBoardFile(_folder.Path);
        Assert.Contains("2 counts for 1 buckets",
            Assert.Throws<ArgumentException>(() => file.Histogram("x", [1], [1, 2], default, 0)).Message, StringComparison.Ordinal);
    }

    private sealed class Clock : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => DateTimeOffset.FromUnixTimeMilliseconds(1_700_000_000_250);
    }
}
