using StableTune.Imaging;
using StableTune.Tensors;

namespace StableTune.Tool.Tests;

/// <summary>The references' training programs as they are typed, on the tiny model.</summary>
public sealed class TrainingCommandTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly StringWriter _output = new(), _error = new();

    public void Dispose()
    {
        _output.Dispose();
        _error.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task TrainNetwork_WithAConfigurationFile_TrainsAndSaves()
    {
        var run = _folder.File("run.toml");
        await File.WriteAllTextAsync(run, $"""
            [model_arguments]
            pretrained_model_name_or_path = '{FixtureModels.TinySd15(_folder)}'

            [dataset_arguments]
            train_data_dir = '{Images()}'
            resolution = 64
            train_batch_size = 2

            [network_arguments]
            network_module = "networks.lora"
            network_dim = 2
            network_train_unet_only = true

            [training_arguments]
            output_dir = '{_folder.File("out")}'
            output_name = "frog"
            max_train_steps = 100
            learning_rate = 1e-3
            seed = 1
            torch_compile = true
            logging_dir = '{_folder.File("logs")}'
            log_prefix = "frog-"
            """);
        // The command line wins, in both spellings.
        Assert.Equal(0, await Run("train-network", "--config_file", run, "--max-train-steps", "2", "--network_alpha", "2"));
        Assert.Contains("2 steps, average loss", _output.ToString(), StringComparison.Ordinal);
        Assert.Contains("torch_compile has no effect", _error.ToString(), StringComparison.Ordinal);
        Assert.StartsWith("frog-2", Path.GetFileName(Assert.Single(Directory.GetDirectories(_folder.File("logs")))),
            StringComparison.Ordinal);
        using (var file = WeightFile.Open(_folder.File("out", "frog.safetensors")))
        {
            Assert.Equal(("networks.lora", "2", "2.0", "2"), (file.Metadata["ss_network_module"], file.Metadata["ss_network_dim"],
                file.Metadata["ss_network_alpha"], file.Metadata["ss_steps"]));
        }

        // A second run replaces nothing unasked.
        Assert.Equal(1, await Run("train-network", "--config_file", run, "--max_train_steps", "2"));
        Assert.Contains("it exists", _error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task TrainControlNet_OnControlPictures_TrainsAndSaves()
    {
        string[] words =
        [
            "--pretrained_model_name_or_path", FixtureModels.TinySd15(_folder), "--train_data_dir", Images(), "--resolution", "64",
            "--conditioning_data_dir", Path.Combine(Path.GetDirectoryName(Images())!, "img", "2_frog"), "--max_train_steps", "2",
            "--learning_rate", "1e-3", "--seed", "1", "--output_name", "edges",
        ];
        Assert.Equal(0, await Run(["train-controlnet", .. words, "--output_dir", _folder.File("one")]));
        Assert.Contains("2 steps, average loss", _output.ToString(), StringComparison.Ordinal);
        using (var file = WeightFile.Open(_folder.File("one", "edges.safetensors")))
            Assert.Contains(file.Names, name => name.Contains("zero_convs", StringComparison.Ordinal));

        // Another one goes on from it, as a folder in diffusers' layout.
        Assert.Equal(0, await Run(["train-controlnet", .. words, "--output_dir", _folder.File("two"), "--save_model_as", "diffusers",
            "--controlnet_model_name_or_path", _folder.File("one", "edges.safetensors"), "--global_average_pooling"]));
        Assert.Contains("\"global_pool_conditions\": true", await File.ReadAllTextAsync(_folder.File("two", "edges", "config.json")),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task OutputConfig_WritesTheOptions_AndStops()
    {
        var file = _folder.File("written.toml");
        Assert.Equal(0, await Run("train-network", "--pretrained_model_name_or_path", "m", "--train_data_dir", "img", "--output_dir", "o",
            "--network_module", "networks.lora", "--network-dim", "8", "--output_config", file));
        Assert.Contains("network_dim = 8", await File.ReadAllTextAsync(file), StringComparison.Ordinal);
        Assert.False(Directory.Exists("o"));
    }

    [Fact]
    public async Task Help_ListsEveryOption_WithItsDefault()
    {
        Assert.Equal(0, await Run("train-db", "--help"));
        var help = _output.ToString();
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
        Assert.Contains(told, _error.ToString(), StringComparison.OrdinalIgnoreCase);
    }

    private string Images()
    {
        var folder = _folder.Folder(Path.Combine("img", "2_frog"));
        for (var i = 0; i < 3; i++)
        {
            var picture = new Canvas(64, 64, PixelColor.FromRgb(0x302010 * (i + 1)));
            picture.FillEllipse(32, 32, 20, 16, PixelColor.FromRgb(0x40C040));
            ImageFile.SavePng(Path.Combine(folder, $"{i}.png"), picture.Image);
        }

        return Path.GetDirectoryName(folder)!;
    }

    private async Task<int> Run(params string[] arguments) =>
        await StableTuneProgram.RunAsync(arguments, new ToolConsole(_output, _error, Display: null));
}
