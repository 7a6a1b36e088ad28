using StableTune.Imaging;
using StableTune.Tensors;

namespace StableTune.Tool.Tests;

/// <summary>The references' training programs as they are typed, on the tiny model.</summary>
public sealed class TrainingCommandTests : ToolTests
{
    [Fact]
    public async Task TrainNetwork_WithAConfigurationFile_TrainsAndSaves()
    {
        var run = Folder.File("run.toml");
        await File.WriteAllTextAsync(run, $"""
            [model_arguments]
            pretrained_model_name_or_path = '{FixtureModels.TinySd15(Folder)}'

            [dataset_arguments]
            train_data_dir = '{TrainingImages(3)}'
            resolution = 64
            train_batch_size = 2

            [network_arguments]
            network_module = "networks.lora"
            network_dim = 2
            network_train_unet_only = true

            [training_arguments]
            output_dir = '{Folder.File("out")}'
            output_name = "frog"
            max_train_steps = 100
            learning_rate = 1e-3
            seed = 1
            torch_compile = true
            logging_dir = '{Folder.File("logs")}'
            log_prefix = "frog-"
            """);
        // The command line wins, in both spellings.
        Assert.Equal(0, await Run("train-network", "--config_file", run, "--max-train-steps", "2", "--network_alpha", "2"));
        Assert.Contains("2 steps, average loss", Output.ToString(), StringComparison.Ordinal);
        Assert.Contains("torch_compile has no effect", Errors.ToString(), StringComparison.Ordinal);
        Assert.StartsWith("frog-2", Path.GetFileName(Assert.Single(Directory.GetDirectories(Folder.File("logs")))),
            StringComparison.Ordinal);
        using (var file = WeightFile.Open(Folder.File("out", "frog.safetensors")))
        {
            Assert.Equal(("networks.lora", "2", "2.0", "2"), (file.Metadata["ss_network_module"], file.Metadata["ss_network_dim"],
                file.Metadata["ss_network_alpha"], file.Metadata["ss_steps"]));
        }

        // A second run replaces nothing unasked.
        Assert.Equal(1, await Run("train-network", "--config_file", run, "--max_train_steps", "2"));
        Assert.Contains("it exists", Errors.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task TrainControlNet_OnControlPictures_TrainsAndSaves()
    {
        string[] words =
        [
            "--pretrained_model_name_or_path", FixtureModels.TinySd15(Folder), "--train_data_dir", TrainingImages(3), "--resolution", "64",
            "--conditioning_data_dir", Path.Combine(Path.GetDirectoryName(TrainingImages(3))!, "img", "2_frog"), "--max_train_steps", "2",
            "--learning_rate", "1e-3", "--seed", "1", "--output_name", "edges",
        ];
        Assert.Equal(0, await Run(["train-controlnet", .. words, "--output_dir", Folder.File("one")]));
        Assert.Contains("2 steps, average loss", Output.ToString(), StringComparison.Ordinal);
        using (var file = WeightFile.Open(Folder.File("one", "edges.safetensors")))
            Assert.Contains(file.Names, name => name.Contains("zero_convs", StringComparison.Ordinal));

        // Another one goes on from it, as a folder in diffusers' layout.
        Assert.Equal(0, await Run(["train-controlnet", .. words, "--output_dir", Folder.File("two"), "--save_model_as", "diffusers",
            "--controlnet_model_name_or_path", Folder.File("one", "edges.safetensors"), "--global_average_pooling"]));
        Assert.Contains("\"global_pool_conditions\": true", await File.ReadAllTextAsync(Folder.File("two", "edges", "config.json")),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task OutputConfig_WritesTheOptions_AndStops()
    {
        var file = Folder.File("written.toml");
        Assert.Equal(0, await Run("train-network", "--pretrained_model_name_or_path", "m", "--train_data_dir", "img", "--output_dir", "o",
            "--network_module", "networks.lora", "--network-dim", "8", "--output_config", file));
        Assert.Contains("network_dim = 8", await File.ReadAllTextAsync(file), StringComparison.Ordinal);
        Assert.False(Directory.Exists("o"));
    }

    [Fact]
    public async Task Help_ListsEveryOption_WithItsDefault()
    {
        Assert.Equal(0, await Run("train-db", "--help"));
        var help = Output.ToString();
        foreach (var (_, options) in RunConfiguration.Options(RunScript.DreamBooth))
            foreach (var option in options)
                Assert.Contains("--" + option.Name, help, StringComparison.Ordinal);
        Assert.Contains("--max-train-steps", help, StringComparison.Ordinal);
        Assert.Contains("[default: 1600]", help, StringComparison.Ordinal);
        Assert.Contains("[refused: ", help, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("train-network", "--network_modul x", "you may have meant network_module")]
    [InlineData("train-db", "--instance_data_dir x --instance_prompts y --style ppdiffusers", "instance_prompt")]
    [InlineData("train-db", "--style mine", "there is no such style")]
    [InlineData("train-controlnet", "--train_data_dir x", "output_dir is not set")]
    [InlineData("train-textual-inversion", "--train_data_dir x", "token_string is not set")]
    [InlineData("fine-tune", "--train_data_dir x", "fine-tuning needs a metadata file")]
    [InlineData("config", "nowhere.yaml", "there is no such file")]
    [InlineData("config", "--train.lr 1", "stand in a YAML file")]
    public async Task Faults_AreTold(string command, string options, string told)
    {
        Assert.Equal(1, await Run([command, .. options.Split(' ')]));
        Assert.Contains(told, Errors.ToString(), StringComparison.OrdinalIgnoreCase);
    }
}
