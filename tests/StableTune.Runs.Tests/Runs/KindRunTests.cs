using StableTune.Adapters;
using StableTune.Checkpoints;
using StableTune.Data;
using StableTune.Models;
using StableTune.Testing;
using StableTune.Trainables;
using TorchSharp;
using static TorchSharp.torch;

namespace StableTune.Tests;

/// <summary>Every kind of adapter trains in a run, and its file gives back what was trained.</summary>
public sealed class KindRunTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    internal static IReadOnlyDictionary<string, AdapterOptions> All => s_kinds;

    private static readonly Dictionary<string, AdapterOptions> s_kinds = new()
    {
        ["LoRA with DoRA, rs and a scalar"] = new LoRAOptions { Rank = 2, WeightDecompose = true, RankStabilized = true, UseScalar = true },
        ["LoCon with Tucker"] = new LoRAOptions { Rank = 2, UseTucker = true, Layers = LyCorisPresets.All.Create("unet-convblock-only") },
        ["LoRA-FA"] = new LoRAFAOptions { Rank = 2 },
        ["DyLoRA"] = new DyLoRAOptions { Rank = 4, Unit = 2 },
        ["LoHa"] = new LoHaOptions { Rank = 2 },
        ["LoKr"] = new LoKrOptions { Rank = 2, Factor = 4 },
        ["GLoRA"] = new GLoRAOptions { Rank = 2 },
        ["IA3"] = new IA3Options(),
        ["full"] = new FullDifferenceOptions { Layers = LayerSelection.SdScripts with { Include = ["mid_block"] } },
        ["norms"] = new NormOptions(),
        ["OFT"] = new OftOptions { Blocks = 2 },
        ["diag-OFT"] = new DiagOftOptions { Layers = LayerSelection.SdScripts with { Include = ["mid_block"] } },
        ["BOFT"] = new BoftOptions { Layers = LayerSelection.SdScripts with { Include = ["mid_block"] } },
        ["EH"] = new EHOptions(),
        ["several"] = new MixedAdapterOptions
        {
            Rules = [new AdapterRule(new LoKrOptions { Rank = 1 }) { Pattern = "attn2" }, new AdapterRule(new LoRAOptions { Rank = 1 })],
        },
    };

    public static TheoryData<string> Kinds() => [.. s_kinds.Keys];

    private TrainerBuilder Run(string name, SubsetOptions? subset = null) => Unsaved(subset).SaveTo(TinyRun.Output(_folder, name));

    private TrainerBuilder Unsaved(SubsetOptions? subset = null) => new TrainerBuilder()
        .WithModel(SmallRun.Model(_folder))
        .WithDataset(new DatasetBuilder().AddFolder(TinyRun.Images(_folder), subset).WithResolution(64).WithBatchSize(2))
        .TrainUNetOnly().WithLearningRate(1e-2).For(TrainingLength.Steps(2));

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Train_InFloat16_StaysNearFloat32(string kind)
    {
        IReadOnlyList<double> Losses(PrecisionPolicy policy) => Run($"{policy.Compute}").WithAdapter(s_kinds[kind]).WithPrecision(policy)
            .WithLearningRate(1e-3).Train().Losses;
        var full = Losses(PrecisionPolicy.Float32);
        Assert.All(Losses(PrecisionPolicy.Float16).Zip(full), pair => Assert.Equal(pair.Second, pair.First, 0.01));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Train_ThenLoad_GivesTheTrainedModel(string kind)
    {
        using var result = Run("kind").WithAdapter(s_kinds[kind], training => training with { MaxNorm = 100 }).KeepModel().Train();
        using var fresh = ModelLoader.Load(SmallRun.Model(_folder), new ModelLoadOptions { Parts = ModelParts.UNet });
        using var before = Predict(fresh.UNet);
        using var adapters = AdapterNetwork.FromFile(TinyRun.Output(_folder, "kind"), ModelHosts.Of(fresh));
        adapters.SetTraining(false);
        foreach (var trained in result.Trainables) trained.Instance.SetTraining(false);
        using var expected = Predict(result.Model!.UNet);
        using var actual = Predict(fresh.UNet);
        Assert.True((expected - actual).abs().max().item<float>() < 1e-4f, "the file is not what was trained");
        Assert.True((before - actual).abs().max().item<float>() > 1e-6f, "nothing was learnt");
    }

    [Fact]
    public void LLLite_IsSteeredByTheSecondImages()
    {
        using var result = Run("lllite", new SubsetOptions { ConditioningFolder = TinyRun.Images(_folder) })
            .WithAdapter(new LLLiteOptions { ConditionDim = 8, Dim = 4 }).KeepModel().Train();
        using var fresh = ModelLoader.Load(SmallRun.Model(_folder), new ModelLoadOptions { Parts = ModelParts.UNet });
        using var adapters = AdapterNetwork.FromFile(TinyRun.Output(_folder, "lllite"), ModelHosts.Of(fresh));
        adapters.SetTraining(false);
        using var without = Predict(fresh.UNet);
        using var picture = ones(1, 3, 64, 64);
        adapters.SetControl(picture);
        using var steered = Predict(fresh.UNet);
        Assert.True((steered - without).abs().max().item<float>() > 1e-6f, "the picture does not matter");
    }

    [Fact]
    public void LLLite_WithoutSecondImages_SaysWhatIsMissing() => Assert.Contains("SubsetOptions.ConditioningFolder",
        Assert.Throws<InvalidOptionsException>(() => Run("none").WithAdapter(new LLLiteOptions()).Build()).Message);

    [Fact]
    public void Hypernetwork_TrainsAndGoesOnFromItsFile()
    {
        var path = _folder.File("out", "hyper.pt");
        Unsaved().WithHypernetwork(new HypernetworkOptions { LayerStructure = [1, 1, 1] }).SaveTo(path).Train();
        using var model = ModelLoader.Load(SmallRun.Model(_folder), new ModelLoadOptions { Parts = ModelParts.UNet });
        using var before = Predict(model.UNet);
        using (var first = Hypernetwork.FromFile(path, ModelHosts.Of(model)))
        {
            Assert.Equal(2, first.Step);
            using var after = Predict(model.UNet);
            Assert.True((after - before).abs().max().item<float>() > 1e-6f);
        }

        Unsaved().WithTrainable(new HypernetworkTrainableOptions { InitialWeights = path }).SaveTo(_folder.File("out", "on.pt")).Train();
        using var second = Hypernetwork.FromFile(_folder.File("out", "on.pt"), ModelHosts.Of(model));
        Assert.Equal(4, second.Step);
    }

    private static Tensor Predict(UNet2DConditionModel unet)
    {
        using var frozen = no_grad();
        using var scope = NewDisposeScope();
        var options = unet.Options;
        var sample = linspace(-1, 1, options.InChannels * 64).reshape(1, options.InChannels, 8, 8);
        var context = linspace(-1, 1, 77 * options.CrossAttentionDim).reshape(1, 77, options.CrossAttentionDim);
        return unet.forward(sample, tensor(new[] { 500L }), context, null).to(float32)
            .MoveToOuterDisposeScope();
    }
}
