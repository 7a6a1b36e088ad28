using System.Text.Json;
using StableTune.Adapters;
using StableTune.Checkpoints;
using StableTune.Formats;
using StableTune.Tensors;
using StableTune.Testing;
using StableTune.Trainables;
using StableTune.Training;

namespace StableTune.Tests;

/// <summary>What runs can be told of adapters: which layers, which ranks and rates, starting from what.</summary>
public sealed class AdapterRunTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static string[] Keys(string path)
    {
        using var file = SafetensorsFile.Open(path);
        return [.. file.Tensors.Select(tensor => tensor.Name)];
    }

    private TrainerBuilder Run(string name, Func<AdapterTrainableOptions, AdapterTrainableOptions> change, LoRAOptions? adapter = null) =>
        new TrainerBuilder().WithModel(SmallRun.Model(_folder)).WithImages(TinyRun.Images(_folder), resolution: 64).WithBatchSize(2)
            .WithLoRA(_ => adapter ?? new LoRAOptions { Rank = 1 }, change).TrainUNetOnly().WithLearningRate(1e-3)
            .For(TrainingLength.Steps(3)).SaveTo(TinyRun.Output(_folder, name));

    private string Trained(string name, LoRAOptions adapter)
    {
        Run(name, t => t, adapter).WithLearningRate(1e-2).Train();
        return TinyRun.Output(_folder, name);
    }

    [Fact]
    public void UpBlocksOnly_TrainsNothingElse()
    {
        var trainer = TinyRun.Builder(_folder, "up").TrainUpBlocksOnly().Build();
        Assert.All(trainer.Layers(), layer => Assert.StartsWith("unet.up_blocks.", layer.Path));
        trainer.Train();
        Assert.All(Keys(TinyRun.Output(_folder, "up")), key => Assert.StartsWith("lora_unet_up_blocks_", key));
    }

    [Fact]
    public void UpBlocksOnly_OfAWholeModel_LeavesTheRestAsItWas()
    {
        using var before = ModelLoader.Load(SmallRun.Model(_folder), new ModelLoadOptions { Parts = Models.ModelParts.UNet });
        var result = new TrainerBuilder().WithModel(SmallRun.Model(_folder)).WithImages(TinyRun.Images(_folder), resolution: 64)
            .WithFullTraining().TrainUpBlocksOnly().WithLearningRate(1e-3).For(TrainingLength.Steps(1)).KeepModel().Train();
        using var trained = result.Model!;
        foreach (var ((name, old), (_, now)) in before.UNet.named_parameters().Zip(trained.UNet.named_parameters()))
            if (!name.StartsWith("up_blocks.", StringComparison.Ordinal))
                Assert.True(old.eq(now).all().item<bool>(), name);
        Assert.Contains(before.UNet.named_parameters().Zip(trained.UNet.named_parameters()),
            pair => !pair.First.parameter.eq(pair.Second.parameter).all().item<bool>());
    }

    [Fact]
    public void Layers_AreWhatIsTrained()
    {
        var trainer = Run("dry", t => t with { UpRatio = 4, BlockRates = BlockRates.Parse("zeros", "0.5", null) },
            new LoRAOptions { Rank = 2, LayerRanks = [new LayerRank(@"attn2\.to_k$", 3)] }).Build();
        var layers = trainer.Layers();
        trainer.Train();
        using var file = SafetensorsFile.Open(TinyRun.Output(_folder, "dry"));
        Assert.Equal(file.Tensors.Where(tensor => !tensor.Name.EndsWith(".alpha", StringComparison.Ordinal)).Sum(t => t.ElementCount),
            layers.Sum(layer => layer.Parameters));
        Assert.DoesNotContain(layers, layer => layer.Path.StartsWith("unet.down_blocks.", StringComparison.Ordinal));
        Assert.All(layers, layer => Assert.Equal(("lora", "LoRA", layer.Path.EndsWith("attn2.to_k", StringComparison.Ordinal) ? 3 : 2),
            (layer.Trainable, layer.Kind, layer.Rank)));
        var middle = layers.First(layer => layer.Path.StartsWith("unet.mid_block.", StringComparison.Ordinal));
        Assert.Equal([5e-4, 2e-3], middle.LearningRates.Select(rate => Math.Round(rate, 12)));
        var table = PlannedLayer.Table(layers);
        Assert.Contains(middle.Path, table);
        Assert.Contains($"{layers.Count} layers", table);
    }

    [Fact]
    public void MaxNorm_KeepsTheNormsAndTellsThem()
    {
        var last = new LastStep();
        Run("norm", t => t with { MaxNorm = 1e-3 }).WithModel(SmallRun.TinySd15(_folder)).WithLearningRate(1e-1).WithObserver(last)
            .WithLog(_folder.File("log.jsonl")).Train();
        Assert.True(last.Metrics["max_norm/keys_scaled"] > 0);
        Assert.InRange(last.Metrics["max_norm/max_key_norm"], 1e-5, 1e-3 + 1e-9);
        Assert.InRange(last.Metrics["max_norm/average_key_norm"], 1e-5, last.Metrics["max_norm/max_key_norm"]);
        Assert.Contains("max_norm/keys_scaled", File.ReadAllText(_folder.File("log.jsonl")));
        Assert.Equal("0.001", TinyRun.Metadata(TinyRun.Output(_folder, "norm"))["ss_scale_weight_norms"]);
    }

    [Fact]
    public void RatesByBlockAndFactor_AreToldByGroup()
    {
        var last = new LastStep();
        Run("rates", t => t with { BlockRates = BlockRates.Parse("linear", null, "zeros+0.5"), UpRatio = 16 }).WithObserver(last)
            .WithModel(SmallRun.TinySd15(_folder)).Train();
        Assert.Equal(1e-3 / 11, last.Rates["unet_block1"], 9);
        Assert.Equal(16e-3 / 11, last.Rates["unet_block1 plus"], 9);
        Assert.Equal(5e-4, last.Rates["unet_block24"], 9);
        var arguments = TinyRun.Metadata(TinyRun.Output(_folder, "rates"))["ss_network_args"];
        Assert.Contains("\"down_lr_weight\": \"linear\"", arguments);
        Assert.Contains("\"loraplus_lr_ratio\": \"16.0\"", arguments);
    }

    [Fact]
    public void RanksFromWeights_GoesOnFromAFileOfOtherRanks()
    {
        var crossAttention = LayerSelection.SdScripts with { Include = ["attn2"] };
        var first = Trained("first", new LoRAOptions { Rank = 3, Alpha = 2, Layers = crossAttention });
        Run("second", t => t with { InitialWeights = first, RanksFromWeights = true }).WithLearningRate(1e-12).Train();
        var second = TinyRun.Output(_folder, "second");
        Assert.Equal(Keys(first), Keys(second));
        Assert.All(TinyRun.Weights(first).Zip(TinyRun.Weights(second)), pair => Assert.Equal(pair.First, pair.Second, 1e-6f));
        Assert.Equal(("3", "2.0"), (TinyRun.Metadata(second)["ss_network_dim"], TinyRun.Metadata(second)["ss_network_alpha"]));
    }

    [Fact]
    public void RanksFromWeights_TheDryRunListsTheFilesLayers_AndBlocksAreRefused()
    {
        var first = Trained("listed", new LoRAOptions { Rank = 3, Layers = LayerSelection.SdScripts with { Include = ["mid_block"] } });
        AdapterTrainableOptions OfFile(AdapterTrainableOptions t) => t with { InitialWeights = first, RanksFromWeights = true };
        var layers = Run("on", OfFile).Build().Layers();
        Assert.Equal(Keys(first).Count(key => key.EndsWith(".alpha", StringComparison.Ordinal)), layers.Count);
        Assert.All(layers, layer => Assert.Equal(("LoRA", 3), (layer.Kind, layer.Rank)));
        Assert.All(layers, layer => Assert.StartsWith("unet.mid_block.", layer.Path));
        Assert.Contains("AdapterTrainableOptions.RanksFromWeights",
            Assert.Throws<InvalidOptionsException>(() => Run("up", OfFile).TrainUpBlocksOnly().Build()).Message);
    }

    /// <summary>Told when the plan is checked, not when gigabytes have been loaded.</summary>
    [Fact]
    public void FilesForAnotherModel_AreToldByBuild()
    {
        var strange = _folder.File("strange.safetensors");
        using (var factor = TorchSharp.torch.ones(2, 7))
            StateDictWriter.Save(strange, [("lora_unet_down_blocks_9_proj_in.lora_down.weight", factor),
                ("lora_unet_down_blocks_9_proj_in.lora_up.weight", factor)]);
        string Fault(Func<TrainerBuilder, TrainerBuilder> change) =>
            Assert.Throws<InvalidOptionsException>(() => change(TinyRun.Builder(_folder)).Build()).Message;
        foreach (var (option, message) in new[]
        {
            ("TrainingPlan.BaseAdapters", Fault(b => b.WithBaseAdapter(strange))),
            ("AdapterTrainableOptions.InitialWeights", Fault(b => b.WithFrozenAdapter(strange))),
        })
        {
            Assert.Contains(option, message);
            Assert.Contains("strange.safetensors", message);
        }
    }

    [Fact]
    public void BaseAdapter_ActsAsTheSameFileAppliedFrozen()
    {
        var style = Trained("style", new LoRAOptions { Rank = 4, Alpha = 8 });
        double First(string name, Func<TrainerBuilder, TrainerBuilder> change) =>
            change(TinyRun.Builder(_folder, name)).For(TrainingLength.Steps(1)).Train().Losses[0];
        var (plain, merged) = (First("plain", b => b), First("merged", b => b.WithBaseAdapter(style, 5f)));
        var frozen = TinyRun.Bare(_folder, "frozen").WithImages(TinyRun.Images(_folder), resolution: 64).WithBatchSize(2)
            .WithFrozenAdapter(style, 5f).For(TrainingLength.Steps(1)).Train().Losses[0];
        Assert.Equal(frozen, merged, 1e-5);
        Assert.NotEqual(plain, merged, 1e-4);
    }

    [Fact]
    public void BaseAdapter_OnAGivenModel_IsTakenBackBitByBit()
    {
        var style = Trained("given-style", new LoRAOptions { Rank = 4, Alpha = 8 });
        using var model = ModelLoader.Load(SmallRun.Model(_folder));
        var before = model.UNet.named_parameters().ToDictionary(entry => entry.name, entry => entry.parameter.detach().clone());
        new TrainerBuilder().WithModel(model).WithImages(TinyRun.Images(_folder), resolution: 64).WithLoRA(rank: 1).TrainUNetOnly()
            .WithBaseAdapter(style).For(TrainingLength.Steps(1)).SaveTo(TinyRun.Output(_folder, "given")).Train();
        foreach (var (name, now) in model.UNet.named_parameters())
            Assert.True(before[name].eq(now).all().item<bool>(), name);
        foreach (var tensor in before.Values) tensor.Dispose();
    }

    [Fact]
    public void BaseAdapter_ThatIsMissing_IsToldByBuild()
    {
        var fault = Assert.Throws<InvalidOptionsException>(() =>
            TinyRun.Builder(_folder).WithBaseAdapter(_folder.File("absent.safetensors")).WithBaseAdapter(SmallRun.Model(_folder), float.NaN)
                .Build());
        Assert.Contains("TrainingPlan.BaseAdapters", fault.Message);
        Assert.Contains("absent.safetensors", fault.Message);
        Assert.Equal(3, fault.Problems.Count);
    }

    private sealed class LastStep : ITrainingObserver
    {
        public IReadOnlyDictionary<string, double> Metrics { get; private set; } = new Dictionary<string, double>();

        public IReadOnlyDictionary<string, double> Rates { get; private set; } = new Dictionary<string, double>();

        public void OnStep(TrainingProgress progress) => (Metrics, Rates) = (progress.Metrics, progress.LearningRates);
    }
}
