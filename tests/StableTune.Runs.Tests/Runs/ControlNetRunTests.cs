using StableTune.Adapters;
using StableTune.Checkpoints;
using StableTune.Data;
using StableTune.Diffusion;
using StableTune.Imaging;
using StableTune.Models;
using StableTune.Testing;
using StableTune.Torch;
using StableTune.Trainables;
using static TorchSharp.torch;

namespace StableTune.Tests;

/// <summary>Runs that train or apply a ControlNet, alone and with adapters.</summary>
public sealed class ControlNetRunTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly long _held = TinyRun.HeldBefore();

    public void Dispose()
    {
        _folder.Dispose();
        Assert.Equal(_held, TinyRun.HeldTensors);
    }

    [Theory]
    [InlineData("net")]
    [InlineData("net.safetensors")]
    public void ControlNet_IsTrained_SavedByItsPath_AndTheUNetStays(string name)
    {
        var path = _folder.File("out", name);
        using var result = Run().WithControlNet(o => o with { Rate = 1e-2 }).SaveTo(path).KeepModel().Train();
        Assert.Equal(Directory.Exists(path) ? ["config.json", "diffusion_pytorch_model.safetensors"] : [name],
            result.Files.Select(Path.GetFileName).Where(file => !file!.EndsWith(".toml", StringComparison.Ordinal)));
        using var scope = NewDisposeScope();
        using var fresh = Fresh();
        using var loaded = ControlNetLoader.Load(path, new ControlNetLoadOptions { UNet = fresh.UNet });
        var trained = Trained(result);
        AssertSame(ModuleTensors.Named(trained), ModuleTensors.Named(loaded));
        AssertSame(ModuleTensors.Named(fresh.UNet), ModuleTensors.Named(result.Model!.UNet));
        var (own, of) = (ModuleTensors.Named(loaded), ModuleTensors.Named(fresh.UNet));
        Assert.False(own["controlnet_mid_block.weight"].Equals(zeros_like(own["controlnet_mid_block.weight"])), "nothing was learnt");
        Assert.False(own["conv_in.weight"].Equals(of["conv_in.weight"]), "the copy was not trained");
        Assert.Contains(result.Warnings, warning => warning.StartsWith("CaptionOptions.DropoutRate is 0", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void WithALora_BothLearn_AndTheAdapterIsNeverInTheCopy(bool adapterFirst)
    {
        // A LoRA that acts from the start, so that it would show in a copy that was made after it.
        var lora = _folder.File("start.safetensors");
        Run().WithLoRA(rank: 2).SaveTo(lora).Train();
        var builder = Run().SaveTo(_folder.File("out", "{name}.safetensors")).For(TrainingLength.Steps(1));
        TrainerBuilder WithLora() => builder.WithLoRA(o => o with { Rank = 2 }, t => t with { InitialWeights = lora });
        if (adapterFirst) builder = WithLora().WithControlNet(o => o with { Rate = 1e-12 });
        else
        {
            builder = builder.WithControlNet(o => o with { Rate = 1e-12 });
            builder = WithLora();
        }

        using var result = builder.KeepModel().Train();
        using var scope = NewDisposeScope();
        using var fresh = Fresh();
        using var saved = ControlNetLoader.Load(_folder.File("out", "controlnet.safetensors"),
            new ControlNetLoadOptions { UNet = fresh.UNet });
        var (copy, of) = (ModuleTensors.Named(saved), ModuleTensors.Named(fresh.UNet));
        foreach (var (name, tensor) in copy.Where(entry => of.ContainsKey(entry.Key)))
            GoldenComparison.AssertClose(name, of[name], tensor, 1e-7);
        // What was trained gives the same as the file, where no adapter can be.
        using var frozen = no_grad();
        var (inputs, picture) = (new ControlNetInputs(ones(1, 4, 8, 8), tensor(new[] { 500L }), ones(1, 77, 48), null), rand(1, 3, 64, 64));
        Assert.True(Hidden(Trained(result)).Equals(Hidden(saved)), "an adapter acts in the ControlNet");
        Assert.NotEqual(TinyRun.Weights(lora), TinyRun.Weights(_folder.File("out", "lora.safetensors")));
        Assert.True(ModuleTensors.Named(Trained(result))["controlnet_mid_block.weight"].abs().max().item<float>() > 0);

        // The residuals are nearly zero yet: made large enough to compare.
        Tensor Hidden(ControlNetModel network)
        {
            foreach (var (name, tensor) in ModuleTensors.Named(network))
                if (name == "controlnet_mid_block.weight") tensor.copy_(eye(64).reshape(64, 64, 1, 1));
            return network.call(inputs, picture, 1).Mid;
        }
    }

    [Fact]
    public void FrozenControlNet_ActsWhileALoraIsTrained_AndStaysAsItIs()
    {
        var net = TrainedNet();
        var before = File.ReadAllBytes(net);
        var without = Run().WithLoRA(rank: 2).SaveTo(TinyRun.Output(_folder, "without")).Train();
        var with = Run().WithLoRA(rank: 2).WithFrozenControlNet(net).SaveTo(TinyRun.Output(_folder, "with")).KeepModel().Train();
        using (with)
        {
            Assert.NotEqual(without.Losses[0], with.Losses[0]);
            Assert.Single(with.Files, file => file.EndsWith(".safetensors", StringComparison.Ordinal));
            using var saved = ControlNetLoader.Load(net, new ControlNetLoadOptions { UNet = with.Model!.UNet });
            using var scope = NewDisposeScope();
            AssertSame(ModuleTensors.Named(saved), ModuleTensors.Named(Trained(with)));
        }

        Assert.Equal(before, File.ReadAllBytes(net));
        // Without strength it is as if it were not there.
        var none = Run().WithLoRA(rank: 2).WithFrozenControlNet(net, scale: 0).SaveTo(TinyRun.Output(_folder, "none")).Train();
        Assert.Equal(without.Losses, none.Losses);
    }

    [Fact]
    public void FrozenLora_ActsWhileAControlNetIsTrained()
    {
        var lora = TinyRun.Output(_folder, "start");
        Run().WithLoRA(rank: 2).WithLearningRate(0.1).SaveTo(lora).Train();
        var plain = Run().WithControlNet().SaveTo(_folder.File("out", "plain")).Train();
        var adapted = Run().WithFrozenAdapter(lora).WithControlNet().SaveTo(_folder.File("out", "adapted")).Train();
        Assert.NotEqual(plain.Losses[0], adapted.Losses[0]);
    }

    [Fact]
    public void Training_GoesOnFromAFile_AndFromAState()
    {
        var net = TrainedNet();
        // A rate that changes nothing: what comes out is what went in.
        Run().WithControlNet(o => o with { InitialWeights = net, Rate = 1e-12 }).SaveTo(_folder.File("out", "same.safetensors")).Train();
        var (first, second) = (TinyRun.Weights(net), TinyRun.Weights(_folder.File("out", "same.safetensors")));
        Assert.Equal(0, first.Zip(second).Max(pair => Math.Abs(pair.First - pair.Second)), 1e-7);

        TrainerBuilder Of(string name) => Run().WithControlNet(o => o with { Rate = 1e-3 }).SaveTo(_folder.File("out", name))
            .For(TrainingLength.Steps(3));
        var whole = Of("whole.safetensors").SaveState(_folder.File("states", "net")).SaveEvery(steps: 1).Train();
        var resumed = Of("resumed.safetensors").ResumeFrom(_folder.File("states", "net-step00000002-state")).Train();
        Assert.Equal(whole.Losses, resumed.Losses);
        Assert.Equal(
            TinyRun.Weights(_folder.File("out", "whole.safetensors")), TinyRun.Weights(_folder.File("out", "resumed.safetensors")));
    }

    [Fact]
    public void Learning_TheLossFalls_OnFourPictures()
    {
        var result = Run().WithControlNet(o => o with { Rate = 2e-3 }).WithTimesteps(new UniformTimesteps { Min = 500, Max = 501 })
            .For(TrainingLength.Steps(60)).SaveTo(_folder.File("out", "net")).Train();
        var (start, end) = (result.Losses.Take(10).Average(), result.Losses.TakeLast(10).Average());
        Assert.True(end < 0.9 * start, $"{start} became {end}");
    }

    [Fact]
    public void PreservedOutputs_AreThoseWithoutTheControlNet()
    {
        var subset = new SubsetOptions
        {
            ConditioningFolder = Controls(), Attributes = new Dictionary<string, object?> { [SubsetOptions.PreserveOutput] = true },
        };
        // It begins without effect; with one, its absence is the target.
        TrainerBuilder Of(string name) => Run(subset).For(TrainingLength.Steps(1)).SaveTo(_folder.File("out", name));
        // Without gradients sums are rounded otherwise, which is 1e-14 when squared.
        Assert.InRange(Of("zero").WithControlNet().Train().Losses[0], 0, 1e-12);
        Assert.True(Of("some").WithControlNet(o => o with { InitialWeights = TrainedNet() }).Train().Losses[0] > 1e-9);
    }

    [Fact]
    public void Range_AndCheckpointing_AndPooling_AreLookedAt()
    {
        var net = TrainedNet();
        double First(string name, Func<ControlNetOptions, ControlNetOptions> change, bool checkpointing = false) =>
            Run().WithControlNet(o => change(o with { InitialWeights = net })).WithGradientCheckpointing(checkpointing)
                .For(TrainingLength.Steps(2)).SaveTo(_folder.File("out", name)).Train().Losses[1];
        var plain = First("plain", o => o);
        Assert.Equal(plain, First("again", o => o, checkpointing: true), 1e-6);
        Assert.NotEqual(plain, First("range", o => o with { Range = ControlPictureRange.MinusOneToOne }), 1e-9);
        Assert.NotEqual(plain, First("pool", o => o with { GlobalPool = true }), 1e-9);
        // The scale is for samples and for what is only applied.
        Assert.Equal(plain, First("scale", o => o with { Scale = 0.1 }));
    }

    [Fact]
    public void Samples_AreDrawnWithTheControlNetAsItIs_AndThePipelineDrawsTheSame()
    {
        var prompt = new TextToImageOptions
        {
            Prompt = "a frog", Steps = 2, Seed = 3, ControlImage = ImageFile.Load(Directory.GetFiles(Controls())[0]),
        };
        var net = _folder.File("out", "net");
        var result = Run().WithControlNet(o => o with { Rate = 1e-2 }).SaveTo(net)
            .WithSamples(_folder.File("samples"), prompt, prompt with { ControlImage = null, Width = 64, Height = 64 }).Train();
        var drawn = result.Samples.Where(file => !file.Contains("sheet", StringComparison.Ordinal))
            .Select(file => ImageFile.Load(file)).ToArray();
        Assert.Equal(4, drawn.Length);
        Assert.Equal(new PixelSize(64, 64), drawn[0].Size);
        // At first it does nothing, then it does; what has no picture stays as it was.
        Assert.Equal(drawn[1].Pixels, drawn[0].Pixels);
        Assert.Equal(drawn[1].Pixels, drawn[3].Pixels);
        Assert.NotEqual(drawn[3].Pixels, drawn[2].Pixels);
        Assert.Contains(result.Warnings, warning => warning.StartsWith("TextToImageOptions.ControlImage is not set for 1 sample(s)",
            StringComparison.Ordinal));

        using var model = ModelLoader.Load(SmallRun.Model(_folder));
        using var network = ControlNetLoader.Load(net, new ControlNetLoadOptions { UNet = model.UNet });
        var pipeline = new TextToImagePipeline(model);
        Assert.Equal(drawn[2].Pixels, pipeline.Generate(prompt with { ControlNet = network }).Pixels);
        Assert.Equal(drawn[3].Pixels, pipeline.Generate(prompt with { ControlNet = network, ControlScale = 0 }).Pixels);
        Assert.Equal(2, pipeline.GenerateMany(prompt with { ControlNet = network, ImageCount = 2, BatchSize = 2 }).Count);
        Assert.NotEqual(drawn[2].Pixels, pipeline.Generate(prompt with { ControlNet = network, GuidanceScale = 1 }).Pixels);
    }

    [Fact]
    public void Samples_OfLLLite_LookAtTheirPictures()
    {
        var prompt = new TextToImageOptions
        {
            Prompt = "a frog", Steps = 2, Width = 64, Height = 64, ControlImage = ImageFile.Load(Directory.GetFiles(Controls())[0]),
        };
        var result = Run().WithAdapter(new LLLiteOptions { ConditionDim = 8, Dim = 4 }).WithLearningRate(0.5)
            .SaveTo(TinyRun.Output(_folder, "lllite"))
            .WithSamples(new SampleOptions
            {
                Folder = _folder.File("samples"), Prompts = [prompt, prompt with { ControlImage = null }], Before = false,
            }).Train();
        var drawn = result.Samples.Where(file => !file.Contains("sheet", StringComparison.Ordinal))
            .Select(file => ImageFile.Load(file)).ToArray();
        Assert.NotEqual(drawn[1].Pixels, drawn[0].Pixels);
    }

    [Fact]
    public void MissingControlPictures_AreToldBeforeTraining_AllOfThem()
    {
        var images = TinyRun.Images(_folder);
        var plain = Run(new SubsetOptions()).WithControlNet().SaveTo(_folder.File("out", "net"));
        var problem = Assert.Single(Assert.Throws<InvalidOptionsException>(() => plain.Build()).Problems);
        Assert.Equal("SubsetOptions.ConditioningFolder", problem.Option);
        Assert.All(Directory.GetFiles(images), image => Assert.Contains(image, problem.ToString()));

        File.Delete(Path.Combine(Controls(), "2.png"));
        File.Delete(Path.Combine(Controls(), "3.png"));
        var told = Assert.Throws<InvalidOptionsException>(() => Run().WithControlNet().SaveTo(_folder.File("out", "net")).Build()).Message;
        Assert.Contains("2.png", told);
        Assert.Contains("3.png", told);

        // Masks are second images too, but nothing to look at.
        var masks = Run(new SubsetOptions { ConditioningFolder = images, Mask = LossMask.Conditioning }).WithControlNet();
        Assert.Contains("masks do not count", Assert.Throws<InvalidOptionsException>(() => masks.SaveTo(_folder.File("out", "net")).Build())
            .Message);
    }

    [Fact]
    public void ControlPictureOfAnotherSize_IsTold_WithBothFiles()
    {
        ImageFile.SavePng(Path.Combine(Controls(), "1.png"), new Canvas(64, 72, PixelColor.FromRgb(0)).Image);
        var told = Assert.ThrowsAny<Exception>(() => Run().WithControlNet().SaveTo(_folder.File("out", "net")).Train()).Message;
        Assert.Contains(Path.Combine(Controls(), "1.png"), told);
        Assert.Contains("the image is 64x72", told);
        Assert.Contains(Path.Combine(TinyRun.Images(_folder), "1.png"), told);
    }

    [Fact]
    public void OptionsThatCannotWork_AreToldAtOnce()
    {
        string Told(Func<ControlNetOptions, ControlNetOptions> change) => Assert.Throws<InvalidOptionsException>(() =>
            Run().WithControlNet(change).SaveTo(_folder.File("out", "net")).Build()).Message;
        Assert.Contains("ControlNetOptions.InitialWeights", Told(o => o with { InitialWeights = _folder.File("nothing") }));
        Assert.Contains("it is a UNet alone",
            Told(o => o with { InitialWeights = Path.Combine(SmallRun.Model(_folder), "unet") }));
        Assert.Contains("ControlNetOptions.InitialWeights is not set", Told(o => o with { Trained = false }));
        Assert.Contains("ControlNetOptions.Rate is 0", Told(o => o with { Rate = 0 }));
        Assert.Contains("ControlNetOptions.Scale", Told(o => o with { Scale = double.NaN }));
        Assert.Contains("ControlNetOptions.PictureChannels", Told(o => o with { PictureChannels = [16, 32] }));

        // For a model of another kind.
        var net = TrainedNet();
        var other = Run().WithModel(FixtureModels.TinySd21V(_folder)).WithControlNet(o => o with { InitialWeights = net });
        Assert.Contains("it is for a text context 48 wide, the model's is 32 wide",
            Assert.Throws<InvalidOptionsException>(() => other.SaveTo(_folder.File("out", "net")).Build()).Message);

        // A control picture that nothing looks at.
        var samples = Run().WithLoRA(rank: 1).SaveTo(TinyRun.Output(_folder)).WithSamples(_folder.File("samples"),
            new TextToImageOptions { ControlImage = new Canvas(64, 64, PixelColor.FromRgb(0)).Image });
        Assert.Contains("TextToImageOptions.ControlImage",
            Assert.Throws<InvalidOptionsException>(() => samples.Build()).Message);
    }

    [Theory]
    [InlineData("tiny-sd21-v")]
    [InlineData("tiny-sdxl")]
    public void OtherFamilies_TrainAndLoadToo(string family)
    {
        var model = family == "tiny-sdxl" ? FixtureModels.TinySdxl(_folder) : FixtureModels.TinySd21V(_folder);
        var path = _folder.File("out", "net.safetensors");
        Run().WithModel(model).WithControlNet(o => o with { Rate = 1e-3 }).SaveTo(path).Train();
        using var loaded = ModelLoader.Load(model, new ModelLoadOptions { Parts = ModelParts.UNet });
        Assert.Empty(ControlNetLoader.Check(path, loaded.UNet.Options));
        Assert.Equal(ContentKind.ControlNet, ModelInspector.Inspect(path).Kind);
    }

    private TrainerBuilder Run(SubsetOptions? subset = null) => new TrainerBuilder()
        .WithModel(SmallRun.Model(_folder))
        .WithDataset(new DatasetBuilder()
            .AddFolder(TinyRun.Images(_folder), subset ?? new SubsetOptions { ConditioningFolder = Controls() })
            .WithResolution(64).WithBatchSize(2))
        .TrainUNetOnly().WithLearningRate(1e-3).For(TrainingLength.Steps(2)).Overwrite();

    /// <summary>A control picture for each image: bright where the image's shape is.</summary>
    private string Controls()
    {
        var (images, folder) = (TinyRun.Images(_folder), _folder.File("controls"));
        if (Directory.Exists(folder)) return folder;
        Directory.CreateDirectory(folder);
        for (var i = 0; i < Directory.GetFiles(images).Length; i++)
        {
            var picture = new Canvas(64, 64, PixelColor.FromRgb(0));
            picture.FillEllipse(32, 32, 20, 10 + (4 * i), PixelColor.FromRgb(0xFFFFFF));
            ImageFile.SavePng(Path.Combine(folder, $"{i}.png"), picture.Image);
        }

        return folder;
    }

    /// <summary>A ControlNet that has an effect.</summary>
    private string TrainedNet()
    {
        var path = _folder.File("trained.safetensors");
        if (!File.Exists(path)) Run().WithControlNet(o => o with { Rate = 1e-2 }).SaveTo(path).Train();
        return path;
    }

    private StableDiffusionModel Fresh() =>
        ModelLoader.Load(SmallRun.Model(_folder), new ModelLoadOptions { Parts = ModelParts.UNet, WeightType = ScalarType.Float32 });

    private static ControlNetModel Trained(TrainingResult result) =>
        result.Trainables.Select(trainable => trainable.Instance).OfType<ControlNetTrainable>().Single().Network;

    private static void AssertSame(Dictionary<string, Tensor> expected, Dictionary<string, Tensor> actual)
    {
        Assert.Equal(expected.Keys.Order(StringComparer.Ordinal), actual.Keys.Order(StringComparer.Ordinal));
        foreach (var (name, tensor) in expected) Assert.True(tensor.Equals(actual[name]), name);
    }
}
