using StableTune.Adapters;
using StableTune.Data;
using StableTune.Formats;
using StableTune.Imaging;
using StableTune.Losses;
using StableTune.Models;
using StableTune.Optimizers;
using StableTune.Schedules;
using StableTune.Testing;
using StableTune.Trainables;

namespace StableTune.Tests.Configuration;

/// <summary>Configuration files as people have them for sd-scripts.</summary>
public sealed class RunFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void CharacterLoRA_WithDatasetFile_BecomesThePlan()
    {
        var dataset = Write("dataset.toml", """
            [general]
            shuffle_caption = true
            keep_tokens = 1
            caption_extension = ".txt"

            [[datasets]]
            resolution = [512, 768]
            batch_size = 2
            enable_bucket = true

              [[datasets.subsets]]
              image_dir = "img/rin"
              num_repeats = 10
            """);
        var plan = TrainerBuilder.FromToml(Write("run.toml", $"""
            # Sections are for the reader only.
            [model_arguments]
            pretrained_model_name_or_path = "models/anime.safetensors"
            vae = "models/vae.pt"
            clip_skip = 2
            max_token_length = 225

            [dataset_arguments]
            dataset_config = '{dataset}'
            cache_latents = true

            [network_arguments]
            network_module = "networks.lora"
            network_dim = 32
            network_alpha = 16
            network_args = ["conv_dim=8", "conv_alpha=4", "down_lr_weight=0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5"]
            unet_lr = 1e-4
            text_encoder_lr = 5e-5
            scale_weight_norms = 1.0

            [optimizer_arguments]
            learning_rate = "1e-4"
            optimizer_type = "AdamW8bit"
            optimizer_args = ["weight_decay=0.1", "betas=.9,.99"]
            lr_scheduler = "constant_with_warmup"
            lr_warmup_steps = 100
            max_grad_norm = 0

            [training_arguments]
            output_dir = "out"
            output_name = "rin"
            max_train_epochs = 10
            save_every_n_epochs = 2
            save_precision = "fp16"
            mixed_precision = "bf16"
            gradient_checkpointing = true
            gradient_accumulation_steps = 2
            min_snr_gamma = 5
            loss_type = "huber"
            huber_c = 0.2
            seed = 31337
            save_state = true
            save_last_n_epochs_state = 3
            xformers = true
            torch_compile = true
            """)).Plan;

        Assert.Equal("models/anime.safetensors", plan.ModelPath);
        Assert.Equal("models/vae.pt", plan.Model.VaePath);
        Assert.Equal((2, 225), (plan.ClipSkip, plan.MaxTokenLength));
        Assert.Equal(new PixelSize(512, 768), plan.Dataset.Options.Resolution);
        Assert.Equal(2, plan.Dataset.Options.BatchSize);
        Assert.True(Assert.Single(plan.Dataset.Subsets).Options.Captions.Shuffle);
        var adapter = Assert.IsType<AdapterTrainableOptions>(Assert.Single(plan.Trainables));
        var lora = Assert.IsType<LoRAOptions>(adapter.Adapter);
        Assert.Equal((32, 16f, 8, 4f), (lora.Rank, lora.Alpha, lora.ConvRank, lora.ConvAlpha));
        Assert.Equal((1.0, 1e-4, 5e-5), (adapter.MaxNorm, plan.UNetLearningRate, plan.TextEncoderLearningRate));
        Assert.NotNull(adapter.BlockRates);
        var adam = Assert.IsType<AdamW8bitOptions>(plan.Optimizer);
        Assert.Equal((0.1, 0.9, 0.99), (adam.WeightDecay, adam.Beta1, adam.Beta2));
        Assert.Equal(Warmup.Steps(100), Assert.IsType<ConstantWithWarmupScheduleOptions>(plan.Schedule).Warmup);
        Assert.Null(plan.MaxGradientNorm);
        Assert.Equal((TrainingLength.Epochs(10), 2, 2), (plan.Length, plan.Save.EveryNEpochs, plan.GradientAccumulation));
        Assert.Equal(PrecisionPolicy.BFloat16, plan.Precision);
        Assert.Equal(0.2, Assert.IsType<HuberLoss>(plan.Loss.Loss).C);
        Assert.Equal(5, Assert.IsType<MinSnrWeighting>(Assert.Single(plan.Loss.Weightings)).Gamma);
        Assert.Equal(31337, plan.Seed);
        Assert.True(plan.Cache.Latents);
        var saver = Assert.IsType<TrainableSaver>(plan.Savers[0]);
        Assert.Equal((Path.Combine("out", "rin.safetensors"), ScalarType.Float16), (saver.Path, saver.Precision));
        Assert.Equal(3, Assert.IsType<StateSaver>(plan.Savers[1]).KeepLastEpochs);
        Assert.Equal(AttentionBackend.Fused, plan.Memory.Attention);
        Assert.Contains(plan.Dataset.Notes, note => note.Contains("torch_compile has no effect", StringComparison.Ordinal));
    }

    [Fact]
    public void DreamBooth_OnFolders_TrainsTheWholeModel()
    {
        var plan = TrainerBuilder.FromToml(Write("db.toml", """
            pretrained_model_name_or_path = "models/sd15.ckpt"
            train_data_dir = "img"
            reg_data_dir = "reg"
            resolution = "512,512"
            output_dir = "out"
            train_batch_size = 4
            learning_rate = 1e-6
            max_train_steps = 400
            use_8bit_adam = true
            prior_loss_weight = 0.5
            flip_aug = true
            seed = 1
            """), RunScript.DreamBooth).Plan;
        Assert.Equal(ModelParts.UNet | ModelParts.TextEncoder, Assert.IsType<ModelTrainableOptions>(Assert.Single(plan.Trainables)).Parts);
        Assert.Equal(["img", "reg"], plan.Dataset.Subsets.Select(subset => Assert.IsType<DreamBoothRootSource>(subset.Source).Root));
        Assert.Equal([false, true], plan.Dataset.Subsets.Select(subset => subset.Options.IsRegularization));
        Assert.All(plan.Dataset.Subsets, subset => Assert.True(subset.Options.Augmentation.Flip));
        Assert.Equal((4, 0.5, new PixelSize(512, 512)), (plan.Dataset.Options.BatchSize, plan.Dataset.Options.PriorLossWeight,
            plan.Dataset.Options.Resolution));
        Assert.IsType<AdamW8bitOptions>(plan.Optimizer);
        Assert.Equal(Path.Combine("out", "last"), Assert.IsType<TrainableSaver>(Assert.Single(plan.Savers)).Path);
    }

    [Theory]
    [InlineData("-1", ModelParts.UNet)]
    [InlineData("0", ModelParts.UNet)]
    public void StopTextEncoderTraining_AtTheBeginning_TrainsTheUNet(string at, ModelParts parts)
    {
        var plan = TrainerBuilder.FromArguments(
            [.. OptionNameTests.Base(RunScript.DreamBooth), "--stop_text_encoder_training", at], script: RunScript.DreamBooth).Plan;
        Assert.Equal(parts, ((ModelTrainableOptions)plan.Trainables[0]).Parts);
    }

    [Fact]
    public void FineTuning_OnMetadata_TrainsTheUNet_AndTheTextEncoderWhereItIsAsked()
    {
        var file = Write("ft.toml", """
            pretrained_model_name_or_path = "models/sd15"
            in_json = "meta_lat.json"
            train_data_dir = "img"
            dataset_repeats = 3
            output_dir = "out"
            seed = 1
            resolution = 512
            """);
        var plan = TrainerBuilder.FromToml(file, RunScript.FineTune).Plan;
        Assert.Equal(ModelParts.UNet, ((ModelTrainableOptions)plan.Trainables[0]).Parts);
        var subset = Assert.Single(plan.Dataset.Subsets);
        Assert.Equal(("meta_lat.json", "img", 3), (Assert.IsType<MetadataSource>(subset.Source).File,
            ((MetadataSource)subset.Source).ImageFolder, subset.Options.Repeats));
        var both = TrainerBuilder.FromToml(file, RunScript.FineTune, "--train_text_encoder", "--learning_rate_te", "1e-7").Plan;
        Assert.Equal(ModelParts.UNet | ModelParts.TextEncoder, ((ModelTrainableOptions)both.Trainables[0]).Parts);
        Assert.Equal(1e-7, both.TextEncoderLearningRate);
    }

    [Fact]
    public void TheCommandLine_WinsOverTheFile()
    {
        var file = Write("run.toml", $"{Minimal}\nlearning_rate = 1e-4\nnetwork_dim = 8");
        var plan = TrainerBuilder.FromToml(file, RunScript.Network, "--learning-rate", "3e-5", "--train_batch_size=2").Plan;
        Assert.Equal((3e-5, 2, 8), (plan.LearningRate, plan.Dataset.Options.BatchSize,
            ((LoRAOptions)((AdapterTrainableOptions)plan.Trainables[0]).Adapter).Rank));
        // The ending may be left out, and JSON is the same.
        Assert.Equal(1e-4, TrainerBuilder.FromToml(Path.ChangeExtension(file, null)).Plan.LearningRate);
    }

    [Fact]
    public void DatasetsInTheFileItself_AreTheDataSets()
    {
        var plan = TrainerBuilder.FromToml(Write("run.toml", $"""
            {Minimal.Replace("train_data_dir = \"img\"", "shuffle_caption = true", StringComparison.Ordinal)}

            [[datasets]]
            resolution = 64
              [[datasets.subsets]]
              image_dir = "a"
            """)).Plan;
        Assert.Equal(new PixelSize(64, 64), plan.Dataset.Options.Resolution);
        Assert.True(Assert.Single(plan.Dataset.Subsets).Options.Captions.Shuffle);
    }

    [Fact]
    public void EveryFault_IsToldAtOnce_WithItsPlace()
    {
        var file = Write("bad.toml", """
            [a]
            network_modul = "networks.lora"
            network_dim = "eight"
            [b]
            seed = 1
            mixed_precision = "half"
            [c]
            seed = 2
            instance_prompts = "x"
            stop_text_encoder_training = 5
            """);
        var fault = Assert.Throws<InvalidOptionsException>(() => TrainerBuilder.FromToml(file, RunScript.Network, "--clip_skip", "two"));
        var text = fault.Message;
        Assert.Contains($"{file}: line 2, column 1: network_modul is \"networks.lora\"", text, StringComparison.Ordinal);
        Assert.Contains("you may have meant network_module", text, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("line 3, column 1: network_dim is \"eight\": it must be a whole number", text, StringComparison.Ordinal);
        Assert.Contains("one of no, fp16, bf16", text, StringComparison.Ordinal);
        Assert.Contains("seed is \"2\": it is given a second time (first at line 5, column 1)", text, StringComparison.Ordinal);
        Assert.Contains("train-network does not know it", text, StringComparison.Ordinal);
        Assert.Contains("command line: clip_skip is \"two\"", text, StringComparison.Ordinal);
    }

    [Fact]
    public void AnOptionOfAnotherReference_NamesIt()
    {
        var fault = Assert.Throws<InvalidOptionsException>(() => TrainerBuilder.FromArguments(["--num_train_epochs", "3"]));
        Assert.Contains("option of ppdiffusers: use --style ppdiffusers", fault.Message, StringComparison.OrdinalIgnoreCase);
        fault = Assert.Throws<InvalidOptionsException>(() =>
            TrainerBuilder.FromArguments(["--keep_tokens", "3"], ReferenceStyle.PpDiffusers, RunScript.DreamBooth));
        Assert.Contains("option of sd-scripts", fault.Message, StringComparison.OrdinalIgnoreCase);
    }

    [Theory]
    [InlineData("optimizer_type = \"Adamw9\"", "\"Adamw9\" is no known optimizer")]
    [InlineData("optimizer_args = [\"weight_decai=1\"]", "Did you mean \"weight_decay\"?")]
    [InlineData("optimizer_args = [\"weight_decay\"]", "is no key=value")]
    [InlineData("optimizer_args = [\"weight_decay=much\"]", "weight_decay is much")]
    [InlineData("lr_scheduler = \"cosin\"", "is no known learning-rate schedule")]
    [InlineData("network_args = [\"conv_dimm=3\"]", "conv_dim")]
    [InlineData("loss_type = \"l3\"", "is no known loss")]
    [InlineData("optimizer_type = \"System.Text.StringBuilder, System.Runtime\"", "is no optimizer")]
    [InlineData("dataset_class = \"No.Such, Assembly\"", "there is no type")]
    [InlineData("dataset_class = \"System.Text.StringBuilder, System.Runtime\"", "is no source of images")]
    public void NamesThatAreNotKnown_AreToldWithTheKnownOnes(string line, string told)
    {
        var file = Write("run.toml", $"{Minimal}\n{line}");
        var fault = Assert.Throws<InvalidOptionsException>(() => TrainerBuilder.FromToml(file));
        Assert.Contains(told, fault.Message, StringComparison.Ordinal);
        Assert.Contains($"{file}: line {Minimal.Split('\n').Length + 1}", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AHostsTypes_AreTakenByNameOrByAssembly()
    {
        var catalogs = RunCatalogs.Default with
        {
            Sources = RunCatalogs.Default.Sources.With("frogs", () => new OneFrog("registered")),
        };
        string[] words = [.. OptionNameTests.Base(RunScript.Network)];
        var registered = RunConfiguration.Parse([.. words, "--dataset_class", "frogs"], catalogs: catalogs).Builder.Plan;
        Assert.Equal("registered", Assert.IsType<OneFrog>(registered.Dataset.Subsets[0].Source).Name);
        var named = RunConfiguration.Parse([.. words, "--dataset_class", typeof(OneFrog).AssemblyQualifiedName!]).Builder.Plan;
        Assert.Equal("images", named.Dataset.Subsets[0].Source.Name);               // train_data_dir goes to its constructor
    }

    [Fact]
    public void OutputConfig_WritesWhatDiffers_AndIsReadAsTheSamePlan()
    {
        string[] words =
        [
            .. OptionNameTests.Base(RunScript.Network), "--network_dim", "8", "--learning_rate", "1e-4", "--lr_scheduler", "constant",
            "--lr_warmup_steps", "0", "--network_args", "conv_dim=2", "conv_alpha=1", "--cache_latents=false", "--resolution", "512,768",
            "--lr_scheduler_num_cycles", "1", "--max_train_epochs", "3",
        ];
        var file = _folder.File("written.toml");
        var configuration = RunConfiguration.Parse([.. words, "--config_file", file, "--output_config"]);
        Assert.Equal(file, configuration.OutputConfig);
        File.WriteAllText(file, configuration.ToToml());
        var text = File.ReadAllText(file);
        Assert.DoesNotContain("lr_scheduler", text, StringComparison.Ordinal);
        Assert.Contains("cache_latents = false", text, StringComparison.Ordinal);
        Assert.Empty(StableTune.Configuration.PlanComparison.Differences(
            TrainerBuilder.FromToml(file).Plan, RunConfiguration.Parse(words).Builder.Plan));
        var fault = Assert.Throws<InvalidOptionsException>(() => RunConfiguration.Parse([.. words, "--output_config", file]));
        Assert.Contains("the file exists", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Seed_NotGiven_IsDrawnAndTold()
    {
        string[] words = [.. OptionNameTests.Base(RunScript.Network).Where(word => word is not ("--seed" or "1"))];
        var (one, other) = (RunConfiguration.Parse(words), RunConfiguration.Parse(words));
        Assert.NotEqual(one.Builder.Plan.Seed, other.Builder.Plan.Seed);
        Assert.Contains(one.Notes, note => note.Contains($"{one.Builder.Plan.Seed} was drawn", StringComparison.Ordinal));
    }

    [Fact]
    public void AFileThatIsMissing_IsNamed() =>
        Assert.Contains("nowhere", Assert.ThrowsAny<InvalidFileException>(() => TrainerBuilder.FromToml("nowhere.toml")).Message,
            StringComparison.Ordinal);

    private const string Minimal = "pretrained_model_name_or_path = \"model\"\noutput_dir = \"out\"\nnetwork_module = \"networks.lora\"\n"
        + "seed = 1\ntrain_data_dir = \"img\"";

    private string Write(string name, string text)
    {
        var path = _folder.File(name);
        File.WriteAllText(path, text);
        return path;
    }
}

/// <summary>A host's source that a configuration names.</summary>
public sealed class OneFrog(string name) : IDatasetSource
{
    public string Name => name;

    public IEnumerable<DatasetItem> Items() => [];
}
