using StableTune.Adapters;
using StableTune.Data;
using StableTune.Imaging;
using StableTune.Models;
using StableTune.Optimizers;
using StableTune.Schedules;
using StableTune.Testing;
using StableTune.Trainables;

namespace StableTune.Tests.Configuration;

/// <summary>sd-trainer's YAML, and ppdiffusers' and diffusers' command lines.</summary>
public sealed class StyleTests : IDisposable
{
    private const string Network = """
        model:
          input_path: models/wd15
          output_name: rin
          v2: true
          v_prediction: false
        dataset:
          module: utils.dataset.BaseDataset
          args:
            metadata: buckets.json
            path: data/rin
            mask: false
            prefix: "rin, "
            prompt: null
            ucg: 0.1
          loader:
            args:
              num_workers: 4
        save:
          module: utils.save.BaseSaver
          args:
            wandb_name: null
            over_write: true
            save_n_epochs: 2
            save_n_steps: null
            image_logs: pictures
            num_images: 2
            resolution: "640,896"
            prompt: "a girl"
            negative_prompt: "bad"
            seed: 4545
        train:
          train_unet: false
          train_encoder: true
          lr: "1e-5,1e-4"
          lr_scheduler: constant_with_warmup
          epochs: 3
          batch_size: 8
          amp: "bfloat16"
          gradient_checkpointing: true
          use_xformers: true
          seed: 7
          tome_ratio: null
        feature:
          minibatch_repeat: 2
          up_only: true
          step_range: "0.1,0.9"
          test_steps: -1
        optimizer:
          module: bitsandbytes.optim.AdamW8bit
          args:
            weight_decay: 1e-2
            betas: [0.9, 0.99]
        network:
          module: networks.lora.LoRANetwork
          train: true
          resume: null
          args:
            rank: 8
            conv_rank: 4
            module: null
        """;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void SdTrainer_WithANetwork_BecomesThePlan()
    {
        var plan = TrainerBuilder.FromYaml(Write(Network)).Plan;
        Assert.Equal(("models/wd15", ModelVersion.Sd2, ModelPrediction.Auto), (plan.ModelPath, plan.Model.Version, plan.Model.Prediction));
        var subset = Assert.Single(plan.Dataset.Subsets);
        Assert.Equal("data/rin", Assert.IsType<SdTrainerSource>(subset.Source).Folder);
        Assert.Equal(("rin, ", "", 0.1), (subset.Options.Captions.Prefix, subset.Options.Captions.PrefixSeparator,
            subset.Options.Captions.DropoutRate));
        Assert.Equal((8, 2), (plan.Dataset.Options.BatchSize, plan.Dataset.Options.MinibatchRepeat));
        Assert.Equal((4, 7L, true), (plan.Loader.Workers, plan.Seed, plan.UpBlocksOnly));
        var lora = Assert.IsType<LoRAOptions>(Assert.IsType<AdapterTrainableOptions>(Assert.Single(plan.Trainables)).Adapter);
        Assert.Equal((8, 4, 1f), (lora.Rank, lora.ConvRank, lora.Alpha));
        Assert.Equal((1e-4, 1e-5, AdapterParts.All), (plan.LearningRate, plan.TextEncoderLearningRate, plan.Parts));
        Assert.Equal(Warmup.Ratio(0.05), Assert.IsType<ConstantWithWarmupScheduleOptions>(plan.Schedule).Warmup);
        var adam = Assert.IsType<AdamW8bitOptions>(plan.Optimizer);
        Assert.Equal((0.01, 0.9, 0.99), (adam.WeightDecay, adam.Beta1, adam.Beta2));
        Assert.Null(plan.MaxGradientNorm);                                    // sd-trainer clips nothing
        Assert.Equal((TrainingLength.Epochs(3), 2, true), (plan.Length, plan.Save.EveryNEpochs, plan.Overwrite));
        Assert.Equal(new UniformTimesteps { Min = 100, Max = 900 }, plan.Timesteps);
        Assert.Equal(Path.Combine("trained", "networks", "rin.pt"), ((TrainableSaver)Assert.Single(plan.Savers)).Path);
        var prompt = Assert.Single(plan.Samples!.Prompts);
        Assert.Equal(("a girl", "bad", 640, 896, 2, 4545L), (prompt.Prompt, prompt.NegativePrompt, prompt.Width, prompt.Height,
            prompt.ImageCount, prompt.Seed));
        Assert.Equal(("pictures", 2), (plan.Samples.Folder, plan.Samples.EveryNEpochs));
        Assert.Equal(PrecisionPolicy.BFloat16, plan.Precision);
    }

    [Fact]
    public void SdTrainer_WithoutANetwork_TrainsTheModel_WithItsDefaults()
    {
        var plan = TrainerBuilder.FromYaml(Write("""
            model: {input_path: m, output_name: n}
            train:
              train_encoder: false
              amp: false
            save:
              args: {save_n_steps: 100}
            """)).Plan;
        Assert.Equal(ModelParts.UNet, Assert.IsType<ModelTrainableOptions>(Assert.Single(plan.Trainables)).Parts);
        Assert.Equal((16, TrainingLength.Epochs(10), 1e-5, 4545L), (plan.Dataset.Options.BatchSize, plan.Length, plan.LearningRate,
            plan.Seed));
        Assert.Equal((100, null), (plan.Save.EveryNSteps, plan.Save.EveryNEpochs));
        Assert.IsType<ConstantScheduleOptions>(plan.Schedule);
        Assert.Equal(Path.Combine("trained", "models", "n"), ((TrainableSaver)plan.Savers[0]).Path);
        Assert.Equal(PrecisionPolicy.Float32, plan.Precision);
    }

    [Fact]
    public void SdTrainer_LoHa_AndKeysBehindTheFile()
    {
        var file = Write(Network.Replace("module: null", "module: loha", StringComparison.Ordinal)
            .Replace("conv_rank: 4", "conv_rank: null", StringComparison.Ordinal));
        var plan = TrainerBuilder.FromArguments([file, "--train.lr", "3e-4", "--feature.test_steps", "5"], ReferenceStyle.SdTrainer).Plan;
        Assert.IsType<LoHaOptions>(((AdapterTrainableOptions)plan.Trainables[0]).Adapter);
        Assert.Equal((3e-4, 5), (plan.LearningRate, plan.TestSteps));
    }

    /// <summary>A network that is trained upon one that is only applied, and one of another algebra beside it.</summary>
    [Fact]
    public void SdTrainer_AListOfNetworks_IsTrainedTogether()
    {
        var plan = TrainerBuilder.FromYaml(Write("""
            model: {input_path: m, output_name: n}
            network:
              - module: networks.lora.LoRANetwork
                args: {rank: 8}
              - train: false
                resume: style.safetensors
                args: {rank: 4, conv_rank: 2}
              - args: {rank: 2, module: loha}
            """)).Plan;
        AdapterTrainableOptions[] networks = [.. plan.Trainables.Cast<AdapterTrainableOptions>()];
        Assert.Equal([("networks", true, null), ("networks-2", false, "style.safetensors"), ("networks-3", true, null)],
            networks.Select(network => (network.Name!, network.Trained, network.InitialWeights)));
        Assert.Equal([8, 4, 2], networks.Select(network => ((FactoredAdapterOptions)network.Adapter).Rank));
        Assert.Equal(2, ((LoRAOptions)networks[1].Adapter).ConvRank);
        Assert.IsType<LoHaOptions>(networks[2].Adapter);
        Assert.Equal(Path.Combine("trained", "{name}", "n.pt"), ((TrainableSaver)Assert.Single(plan.Savers)).Path);
    }

    [Theory]
    [InlineData("a photo of rin", "a photo of rin")]
    [InlineData("\"\"", "")]
    [InlineData("null", null)]
    public void SdTrainer_OnePrompt_TakesThePlaceOfCaptions(string written, string? text)
    {
        var file = Write($"model: {{input_path: m, output_name: n}}\ndataset:\n  args: {{prompt: {written}}}");
        var plan = TrainerBuilder.FromYaml(file).Plan;
        Assert.Equal(text, Assert.Single(plan.Dataset.Subsets).Options.Captions.Text);
    }

    [Theory]
    [InlineData("train:\n  lrr: 1", "line 2: train.lrr is \"1\"", "may have meant train.lr")]
    [InlineData("train:\n  epochs: many", "line 2: train.epochs is \"many\"", "a whole number")]
    [InlineData("train:\n  amp: maybe", "train.amp is \"maybe\"", "false, true or bfloat16")]
    [InlineData("controlnet:\n  train: maybe", "line 2: controlnet.train is \"maybe\"", "must be")]
    [InlineData("pfg:\n  args: {num_tokens: many}", "line 2: pfg.args.num_tokens is \"many\"", "a whole number")]
    [InlineData("train: {train_unet: false}", "train_unet is \"false\"", "so nothing is")]
    [InlineData("dataset:\n  module: my.data.Frogs", "line 2: dataset_class is \"my.data.Frogs\"", "no known source")]
    [InlineData("train:\n  tome_ratio: half", "line 2: train.tome_ratio is \"half\"", "a number")]
    [InlineData("network:\n - module: networks.lora.LoRANetwork\n - module: other", "network_module", "other")]
    [InlineData("network:\n - train: true\n - args: {rank: many}", "line 3: network.args.rank is \"many\"", "whole number")]
    [InlineData("network:\n - train: true\n - rank: 4", "line 3: network.rank is \"4\"", "no option")]
    public void SdTrainer_Faults_NameTheLine(string text, string place, string told)
    {
        var fault = Assert.Throws<InvalidOptionsException>(() => TrainerBuilder.FromYaml(Write(text)));
        Assert.Contains(fault.Problems, problem => problem.ToString().Contains(place, StringComparison.Ordinal)
            && problem.ToString().Contains(told, StringComparison.OrdinalIgnoreCase));
    }

    [Theory]
    [InlineData("train: [", "not YAML")]
    [InlineData("- a", "it holds no keys")]
    [InlineData("a: *b", "alias")]
    [InlineData("train:\n  lr: 1\n  lr: 2", "a second time")]
    public void SdTrainer_BrokenFiles_AreTold(string text, string told) => Assert.Contains(told,
        Assert.Throws<InvalidFileException>(() => TrainerBuilder.FromYaml(Write(text))).Message, StringComparison.OrdinalIgnoreCase);

    [Fact]
    public void PpDiffusers_DreamBooth_BecomesThePlan()
    {
        var plan = TrainerBuilder.FromArguments(
        [
            "--pretrained_model_name_or_path=hakurei/waifu-diffusion-v1-3", "--instance_data_dir", "dogs", "--instance_prompt",
            "a photo of sks dog", "--class_data_dir", "class", "--class_prompt", "a photo of dog", "--with_prior_preservation",
            "--prior_loss_weight", "0.8", "--num_class_images", "200", "--resolution", "512", "--train_batch_size", "1",
            "--gradient_accumulation_steps", "2", "--scale_lr", "--lr_scheduler", "constant", "--max_train_steps", "800",
            "--adam_weight_decay", "0.02", "--random_flip", "--output_dir", "out/dog", "--seed", "3", "--center_crop",
        ], ReferenceStyle.PpDiffusers, RunScript.DreamBooth).Plan;
        Assert.Equal(ModelParts.UNet, ((ModelTrainableOptions)Assert.Single(plan.Trainables)).Parts);
        var subject = plan.Dataset.Subsets[0];
        Assert.Equal(("dogs", "a photo of sks dog", false), (((FolderSource)subject.Source).Folder, subject.Options.ClassTokens!,
            subject.Options.IsRegularization));
        var classes = Assert.IsType<ClassImageSource>(plan.Dataset.Subsets[1].Source).Options;
        Assert.Equal(("class", "a photo of dog", 200, 4, null), (classes.Folder, classes.Prompt, classes.Count, classes.BatchSize,
            classes.Precision));
        Assert.Equal([new PixelSize(512, 512)], classes.Sizes);
        Assert.True(plan.Dataset.Subsets[1].Options.IsRegularization);
        Assert.All(plan.Dataset.Subsets, subset => Assert.True(subset.Options.Augmentation.Flip));
        Assert.Equal((PriorStyle.Paired, 0.8), (plan.Dataset.Options.PriorStyle, plan.Dataset.Options.PriorLossWeight));
        Assert.Equal(new FixedResolution { Mode = ResizeMode.Squash }, plan.Dataset.Options.Bucketing);
        Assert.Equal((5e-6, true, 2.0), (plan.LearningRate, plan.ScaleLearningRate, (double)plan.GradientAccumulation));
        Assert.Equal(0.02, ((AdamWOptions)plan.Optimizer).WeightDecay);
        Assert.Equal((TrainingLength.Steps(800), 500, 3L), (plan.Length, plan.Save.EveryNSteps, plan.Seed));
        Assert.IsType<ConstantScheduleOptions>(plan.Schedule);
        Assert.Equal(Path.Combine("out", "dog"), ((TrainableSaver)plan.Savers[0]).Path);
        Assert.Contains(plan.Dataset.Notes, note => note.Contains("center_crop has no effect", StringComparison.Ordinal));
    }

    [Fact]
    public void PpDiffusers_Defaults_AreItsOwn()
    {
        string[] words = ["--pretrained_model_name_or_path", "m", "--instance_data_dir", "dogs", "--instance_prompt", "a dog"];
        var plan = TrainerBuilder.FromArguments(words, ReferenceStyle.PpDiffusers, RunScript.DreamBooth).Plan;
        Assert.Equal((4, TrainingLength.Epochs(1), 0), (plan.Dataset.Options.BatchSize, plan.Length, plan.Loader.Workers));
        Assert.Equal(Path.Combine(".", "dreambooth-model"), ((TrainableSaver)plan.Savers[0]).Path);
        var warm = TrainerBuilder.FromArguments([.. words, "--lr_scheduler", "constant_with_warmup", "--height", "768", "--width=512"],
            ReferenceStyle.PpDiffusers, RunScript.DreamBooth).Plan;
        Assert.Equal(Warmup.Steps(500), ((ConstantWithWarmupScheduleOptions)warm.Schedule).Warmup);
        Assert.Equal(new PixelSize(512, 768), warm.Dataset.Options.Resolution);
        var lora = TrainerBuilder.FromArguments([.. words, "--rank", "8"], ReferenceStyle.PpDiffusers).Plan;
        Assert.Equal(8, ((LoRAOptions)((AdapterTrainableOptions)lora.Trainables[0]).Adapter).Rank);
    }

    [Theory]
    [InlineData("--with_prior_preservation", "class_data_dir")]
    [InlineData("--keep_tokens 1", "option of sd-scripts")]
    [InlineData("--rank 4", "train-db does not know it")]
    [InlineData("stray", "it belongs to no option")]
    public void PpDiffusers_Faults_AreTold(string options, string told) => Assert.Contains(told,
        Assert.Throws<InvalidOptionsException>(() => TrainerBuilder.FromArguments(
            [.. options.Split(' '), "--pretrained_model_name_or_path", "m", "--instance_data_dir", "d", "--instance_prompt", "p"],
            ReferenceStyle.PpDiffusers, RunScript.DreamBooth)).Message, StringComparison.OrdinalIgnoreCase);

    private string Write(string text)
    {
        var path = _folder.File("config.yaml");
        File.WriteAllText(path, text);
        return path;
    }
}
