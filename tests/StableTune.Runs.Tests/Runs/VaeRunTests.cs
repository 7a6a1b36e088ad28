using StableTune.Checkpoints;
using StableTune.Models;
using StableTune.Testing;
using StableTune.Torch;
using StableTune.Trainables;
using StableTune.Training;

namespace StableTune.Tests;

/// <summary>Runs that train the VAE: pictures in, the same pictures out.</summary>
public sealed class VaeRunTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(ReconstructionLoss.L1)]
    [InlineData(ReconstructionLoss.L2)]
    public void Train_TheDecoder_LowersTheLoss_AndLeavesTheEncoderAsItIs(ReconstructionLoss loss)
    {
        var held = TinyRun.HeldBefore();
        var result = Builder("vae", method: m => m with { Loss = loss }).For(TrainingLength.Steps(24)).Train();
        Assert.Equal(held, TinyRun.HeldTensors);
        Assert.InRange(result.Losses.TakeLast(4).Average(), 0, 0.7 * result.Losses.Take(4).Average());

        using var before = ModelLoader.Load(SmallRun.Model(_folder), new ModelLoadOptions { Parts = ModelParts.Vae });
        using var after = WithVae(_folder.File("out", "vae"));
        var (encoder, decoder) = Compare(before.Vae, after.Vae);
        Assert.True(encoder);
        Assert.False(decoder);
    }

    [Fact]
    public void Train_BothHalves_ChangesTheEncoderToo_AndCountsTheDivergence()
    {
        var plain = Builder("plain", t => t with { TrainEncoder = true }, m => m with { KlWeight = 0 }).Train();
        var weighted = Builder("weighted", t => t with { TrainEncoder = true }, m => m with { KlWeight = 1 }).Train();
        Assert.True(weighted.Losses[0] > plain.Losses[0]);
        using var before = ModelLoader.Load(SmallRun.Model(_folder), new ModelLoadOptions { Parts = ModelParts.Vae });
        using var after = WithVae(_folder.File("out", "plain"));
        Assert.Equal((false, false), Compare(before.Vae, after.Vae));
    }

    [Fact]
    public void Divergence_IsThatOfTheStandardNormalDistribution()
    {
        using var scope = NewDisposeScope();
        var (mean, logVariance) = (full([1, 4, 2, 2], 2.0, dtype: ScalarType.Float32),
            full([1, 4, 2, 2], Math.Log(4), dtype: ScalarType.Float32));
        using var distribution = new Tensors.LatentDistribution(mean, logVariance);
        Assert.Equal(16 * 0.5 * (4 + 4 - 1 - Math.Log(4)), distribution.Divergence().item<float>(), 1e-3);
        using var standard = new Tensors.LatentDistribution(zeros_like(mean), zeros_like(mean));
        Assert.Equal(0, standard.Divergence().item<float>());
    }

    [Fact]
    public void Train_SavesASingleFile_UnderTheNamesThatWebInterfacesRead()
    {
        var path = TinyRun.Output(_folder, "vae");
        Builder("vae.safetensors").Train();
        using var file = Formats.SafetensorsFile.Open(path);
        Assert.Contains("decoder.up.0.block.0.conv1.weight", file.Tensors.Select(tensor => tensor.Name));
        Assert.Contains("post_quant_conv.weight", file.Tensors.Select(tensor => tensor.Name));
        // A file does not tell norm groups: the configuration beside it does.
        File.Copy(Path.Combine(SmallRun.Model(_folder), "vae", "config.json"), _folder.File("out", "config.json"));
        using var loaded = WithVae(path);
        using var folder = WithVae(Folder());
        Assert.Equal((true, true), Compare(loaded.Vae, folder.Vae));

        string Folder()
        {
            Builder("folder").Train();
            return _folder.File("out", "folder");
        }
    }

    [Fact]
    public void Train_SavesTheWholeModel_WhenAsked()
    {
        Builder("model", t => t with { SaveWholeModel = true }).Train();
        using var model = ModelLoader.Load(_folder.File("out", "model"));
        Assert.Equal(ModelParts.All, model.Parts);
        using var before = ModelLoader.Load(SmallRun.Model(_folder));
        Assert.Equal((true, false), Compare(before.Vae, model.Vae));
    }

    [Fact]
    public void Train_GoesOnFromAState_AsIfItHadNotStopped()
    {
        var straight = Builder("straight").For(TrainingLength.Steps(4)).Train();
        Builder("first").For(TrainingLength.Steps(2)).SaveState(_folder.File("states", "vae")).Train();
        var second = Builder("second").For(TrainingLength.Steps(4)).ResumeFromLatest(_folder.File("states")).Train();
        Assert.Equal(straight.Losses.TakeLast(2), second.Losses.TakeLast(2));
        using var one = WithVae(_folder.File("out", "straight"));
        using var other = WithVae(_folder.File("out", "second"));
        Assert.Equal((true, true), Compare(one.Vae, other.Vae));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Train_InHalfPrecision_WithCheckpointing_LearnsToo(bool float16)
    {
        var result = Builder("half", t => t with { TrainEncoder = true })
            .WithPrecision(float16 ? PrecisionPolicy.Float16 : PrecisionPolicy.BFloat16)
            .WithGradientCheckpointing().Train();
        Assert.All(result.Losses, loss => Assert.InRange(loss, 1e-6, 10));
    }

    [Fact]
    public void Build_WhatCannotWork_IsNamed()
    {
        Assert.Equal(["CacheOptions.Latents"], Problems(Builder("a").WithCachedLatents()));
        Assert.Equal(["VaeTrainableOptions.Rate"], Problems(Builder("a", t => t with { Rate = -1 })));
        Assert.Equal(["VaeReconstructionOptions.Loss", "VaeReconstructionOptions.KlWeight"],
            Problems(Builder("a", method: m => m with { Loss = (ReconstructionLoss)7, KlWeight = -1 })));
        Assert.Equal(["TrainingPlan.Method"], Problems(Bare("a").WithVaeWeights()));
        Assert.Equal(["TrainingPlan.Trainables"], Problems(
            Bare("a.safetensors").WithLoRA(rank: 2).WithMethod(new VaeReconstructionOptions())));
    }

    [Fact]
    public void Save_NothingIsOverwrittenUnseen()
    {
        using var model = ModelLoader.Load(SmallRun.Model(_folder), new ModelLoadOptions { Parts = ModelParts.Vae });
        var path = _folder.File("mine");
        VaeSaver.Save(model.Vae, path);
        Assert.Contains("there is such a VAE already",
            Assert.Throws<InvalidOptionsException>(() => VaeSaver.Save(model.Vae, path)).Message);
        VaeSaver.Save(model.Vae, path, new ModelSaveOptions { Overwrite = true });
        Assert.Contains("something else than a VAE",
            Assert.Throws<InvalidOptionsException>(() => VaeSaver.Save(model.Vae, Path.Combine(SmallRun.Model(_folder), "unet"))).Message);
        Assert.Contains("norm groups", Assert.Single(VaeSaver.Save(model.Vae, _folder.File("one.ckpt")).Notes));
        using var ckpt = Formats.TensorFile.Open(_folder.File("one.ckpt"));
        Assert.Contains("encoder.down.0.block.0.norm1.weight", ckpt.Tensors.Select(tensor => tensor.Name));
    }

    /// <summary>What acts through other parts of the model gets no gradient from pictures that go through the VAE alone.</summary>
    [Fact]
    public void Build_BesideWhatTheVaeDoesNotRun_IsRefused()
    {
        Func<TrainerBuilder, TrainerBuilder>[] others =
        [
            builder => builder.WithLoRA(rank: 1), builder => builder.WithFullTraining(), builder => builder.WithControlNet(),
            builder => builder.WithPfg(), builder => builder.WithTextualInversion("skscat"),
            builder => builder.WithExtendedTextualInversion("skscat"),
        ];
        foreach (var other in others)
            Assert.Contains("would learn nothing",
                Assert.Throws<InvalidOptionsException>(() => other(Builder("{name}.safetensors")).Build()).Message);
    }

    private TrainerBuilder Bare(string name) => new TrainerBuilder().WithModel(SmallRun.Model(_folder))
        .WithImages(TinyRun.Images(_folder), resolution: 64).WithBatchSize(2).For(TrainingLength.Steps(3)).WithLearningRate(2e-3)
        .SaveTo(_folder.File("out", name));

    private TrainerBuilder Builder(string name, Func<VaeTrainableOptions, VaeTrainableOptions>? training = null,
        Func<VaeReconstructionOptions, VaeReconstructionOptions>? method = null) => Bare(name).WithVaeTraining(training, method);

    private StableDiffusionModel WithVae(string path) =>
        ModelLoader.Load(SmallRun.Model(_folder), new ModelLoadOptions { Parts = ModelParts.Vae, VaePath = path });

    /// <summary>Whether encoder and decoder are the same, bit for bit.</summary>
    private static (bool Encoder, bool Decoder) Compare(AutoencoderKL one, AutoencoderKL other)
    {
        using var scope = NewDisposeScope();
        var others = ModuleTensors.Named(other).ToDictionary(entry => entry.Key, entry => entry.Value);
        var same = ModuleTensors.Named(one).ToLookup(
            entry => entry.Key.StartsWith("decoder", StringComparison.Ordinal) || entry.Key.StartsWith("post", StringComparison.Ordinal),
            entry => entry.Value.equal(others[entry.Key]).all().item<bool>());
        return (same[false].All(is_same => is_same), same[true].All(is_same => is_same));
    }

    private static string[] Problems(TrainerBuilder builder) =>
        [.. Assert.Throws<InvalidOptionsException>(() => builder.Build()).Problems.Select(problem => problem.Option)];
}
