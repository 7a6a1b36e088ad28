using StableTune.Checkpoints;
using StableTune.Diffusion;
using StableTune.Imaging;
using StableTune.Models;
using StableTune.Testing;

namespace StableTune.Tests;

/// <summary>Class images: drawn when they are missing, and trained beside the subject.</summary>
public sealed class ClassImageTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private string Class => _folder.File("class");

    private TrainerBuilder Builder(string name, int count = 5, double weight = 1) => TinyRun.Bare(_folder, name)
        .WithSubject(TinyRun.Images(_folder), "a sks frog", resolution: 64)
        .WithPriorPreservation(Class, "a frog", count, weight, o => o with { Steps = 2, BatchSize = 2 });

    [Fact]
    public void Train_DrawsWhatIsMissing_AndTrainsItBesideTheSubject()
    {
        ImageFile.SavePng(InClass("mine.png"), new Canvas(80, 70, PixelColor.FromRgb(0x4060A0)).Image);
        var trainer = Builder("frog").Build();
        Assert.Equal((5, 5, 5), (trainer.Steps.TrainingImages, trainer.Steps.RegularizationImages, trainer.Steps.StepsPerEpoch));
        Assert.Contains("4 of 5 class images are missing", string.Join(' ', trainer.Dataset.Warnings));
        Assert.Equal(["mine.png"], Files());
        var stages = new List<string>();
        var result = trainer.Train(new Told(stages));
        string[] drawn = ["class-00000-42.png", "class-00001-43.png", "class-00002-44.png", "class-00003-45.png", "mine.png"];
        Assert.Equal(drawn, Files());
        Assert.Contains("drawing class images 4/4", stages);
        Assert.Equal(new PixelSize(64, 64), ImageFile.Load(Path.Combine(Class, drawn[0])).Size);
        Assert.All(result.Losses, loss => Assert.InRange(loss, 0.5, 4));          // the sum of two means

        // They are there now.
        var times = Files().Select(file => File.GetLastWriteTimeUtc(Path.Combine(Class, file))).ToArray();
        var again = Builder("again").Build();
        Assert.DoesNotContain("missing", string.Join(' ', again.Dataset.Warnings));
        Assert.Equal(result.Losses, again.Train().Losses);
        Assert.Equal(times, Files().Select(file => File.GetLastWriteTimeUtc(Path.Combine(Class, file))));
    }

    [Fact]
    public void Generate_GoesOnWhereItStopped_WithTheSamePictures()
    {
        using var model = ModelLoader.Load(SmallRun.Model(_folder));
        var options = new ClassImageOptions
        {
            Folder = Class, Prompt = "a frog", Count = 3, Steps = 2, BatchSize = 1, Sizes = [new(64, 64), new(64, 48)],
        };
        var held = TinyRun.HeldBefore();
        Assert.Equal(3, ClassImageGenerator.Generate(model, options).Count);
        Assert.Equal(held, TinyRun.HeldTensors);
        Assert.Empty(ClassImageGenerator.Generate(model, options));
        Assert.Equal(new PixelSize(64, 48), ImageFile.Load(Path.Combine(Class, "class-00001-43.png")).Size);
        var all = Files().Select(file => ImageFile.Load(Path.Combine(Class, file)).Pixels).ToArray();
        File.Delete(Path.Combine(Class, "class-00001-43.png"));
        var drawn = ClassImageGenerator.Generate(model, options with { BatchSize = 4 });
        Assert.EndsWith("class-00001-43.png", Assert.Single(drawn), StringComparison.Ordinal);
        Assert.Equal(all, Files().Select(file => ImageFile.Load(Path.Combine(Class, file)).Pixels));

        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() =>
            ClassImageGenerator.Generate(model, options with { Count = 4 }, cancellationToken: cancelled.Token));
        Assert.Equal(3, Files().Length);
    }

    /// <summary>With a weight of 0 the partners teach nothing: what is learnt is what is learnt without them.</summary>
    [Fact]
    public void PriorPreservation_OfWeight0_LearnsWhatIsLearntWithout()
    {
        for (var i = 0; i < 4; i++)
            ImageFile.SavePng(InClass($"{i}.png"), new Canvas(64, 64, PixelColor.FromRgb(0x102030 * (i + 1))).Image);
        var noise = new NoiseByPlace();
        var with = Builder("with", count: 4, weight: 0).WithNoise(noise).WithTimesteps(noise).Train();
        noise = new NoiseByPlace();
        var without = TinyRun.Bare(_folder, "without").WithSubject(TinyRun.Images(_folder), "a sks frog", resolution: 64)
            .WithNoise(noise).WithTimesteps(noise).Train();
        Assert.All(with.Losses.Zip(without.Losses), pair => Assert.Equal(pair.Second, pair.First, 1e-5));
        var (one, other) = (TinyRun.Weights(TinyRun.Output(_folder, "with")), TinyRun.Weights(TinyRun.Output(_folder, "without")));
        Assert.All(one.Zip(other), pair => Assert.Equal(pair.Second, pair.First, 1e-4));
        Assert.NotEqual(without.Losses, Builder("weighed", count: 4, weight: 0.5).WithNoise(new NoiseByPlace()).Train().Losses);
    }

    [Fact]
    public void Build_TellsWhatCannotWork()
    {
        Assert.Contains("ClassImageOptions.Prompt", Fault(TinyRun.Builder(_folder).WithClassImages(Class, " ")));
        Assert.Contains("ClassImageOptions.Count", Fault(TinyRun.Builder(_folder).WithClassImages(Class, "a frog", count: 0)));
        Assert.Contains("ClassImageOptions.Folder", Fault(TinyRun.Builder(_folder).WithClassImages(
            Path.Combine(TinyRun.Images(_folder), "0.png"), "a frog")));
        using var part = ModelLoader.Load(SmallRun.Model(_folder),
            new ModelLoadOptions { Parts = ModelParts.UNet | ModelParts.TextEncoder });
        Assert.Contains("ClassImageGenerator", Fault(TinyRun.Builder(_folder).WithModel(part).WithClassImages(Class, "a frog")));
    }

    [Fact]
    public void Steps_SayWhatARunComesTo()
    {
        var plain = TinyRun.Builder(_folder).For(TrainingLength.Epochs(3)).WithGradientAccumulation(2).Build().Steps;
        Assert.Equal((4, 0, 2, 1, 3, 12L), (plain.TrainingImages, plain.RegularizationImages, plain.BatchesPerEpoch, plain.StepsPerEpoch,
            plain.TotalSteps, plain.TrainingImagesSeen));
        var separate = TinyRun.Builder(_folder).WithClassImages(Class, "a frog", count: 2).For(TrainingLength.Steps(8)).Build().Steps;
        // The two are used twice: as many as there are training images.
        Assert.Equal((4, 4, 4, 8L),
            (separate.TrainingImages, separate.RegularizationImages, separate.StepsPerEpoch, separate.TrainingImagesSeen));
        Assert.Contains("as many steps again", separate.ToString());
        Assert.Contains("twice as large", Builder("frog").Build().Steps.ToString());
    }

    private string InClass(string name) => Path.Combine(Directory.CreateDirectory(Class).FullName, name);

    private static string Fault(TrainerBuilder builder) => Assert.Throws<InvalidOptionsException>(() => builder.Build()).Message;

    private string[] Files() =>
        Directory.Exists(Class) ? [.. Directory.GetFiles(Class).Select(file => Path.GetFileName(file)).Order(StringComparer.Ordinal)] : [];

    private sealed class Told(List<string> stages) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value)
        {
            if (value.Work is { } work) stages.Add(work.ToString());
        }
    }

    /// <summary>Noise and timestep depend on the batch and the place in it alone, not on how many samples there are.</summary>
    private sealed class NoiseByPlace : INoiseSource, ITimestepSource
    {
        private long _noise, _times;

        public Tensor Draw(Tensor latents, Generator generator)
        {
            using var scope = NewDisposeScope();
            _noise++;
            return stack([.. Enumerable.Range(0, (int)latents.shape[0]).Select(i =>
                randn([.. latents.shape[1..]], generator: new Generator((ulong)((_noise * 100) + i))))]).MoveToOuterDisposeScope();
        }

        public Tensor Draw(int count, Generator generator)
        {
            _times++;
            return tensor(Enumerable.Range(0, count).Select(i => ((_times * 131) + (i * 57)) % 1000).ToArray());
        }
    }
}
