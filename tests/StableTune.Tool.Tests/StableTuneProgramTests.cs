using StableTune.Tensors;

namespace StableTune.Tool.Tests;

/// <summary>The program as it is typed, in process: exit codes, output, errors, files.</summary>
public sealed class StableTuneProgramTests : ToolTests
{
    private static string A => Fixtures.Path("networks", "lora_files", "lora_a.safetensors");

    private static string C => Fixtures.Path("networks", "lora_files", "lora_c.safetensors");

    private string Result => Folder.File("out.safetensors");

    [Fact]
    public async Task Help_ListsTheCommands_AndOptionsWithTheirDefaults()
    {
        Assert.Equal(0, await Run("--help"));
        foreach (var name in new[] { "merge-lora", "svd-merge-lora", "resize-lora", "extract-lora", "extract-dylora", "convert-lora",
            "merge-into-model", "merge-models", "inspect", "show-metadata", "hash", "class-images", "make-captions" })
            Assert.Contains(name, Output.ToString(), StringComparison.Ordinal);
        Assert.Equal(0, await Run("svd-merge-lora", "--help"));
        Assert.Contains("--clamp_quantile", Output.ToString(), StringComparison.Ordinal);
        Assert.Contains("0.99", Output.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--save_to", "--save_precision")]
    [InlineData("--save-to", "--save-precision")]
    public async Task MergeLora_UnderBothSpellings_WritesTheFile(string saveTo, string precision)
    {
        Assert.Equal(0, await Run("merge-lora", "--models", A, C, "--ratios", "0.7", "-0.3", saveTo, Result, precision, "fp16"));
        Assert.Contains("4 layers, rank 9 to 12", Output.ToString(), StringComparison.Ordinal);
        Assert.Empty(Errors.ToString());
        using var file = WeightFile.Open(Result);
        Assert.Equal("lora_a, lora_c", file.Metadata["modelspec.merged_from"]);
    }

    [Fact]
    public async Task ClassImages_DrawsWhatIsMissing()
    {
        string[] command = ["class-images", "--pretrained_model_name_or_path", FixtureModels.TinySd15(Folder), "--class-data-dir",
            Folder.File("class"), "--class_prompt", "a frog", "--num_class_images", "2", "--resolution", "64", "--steps", "1"];
        Assert.Equal(0, await Run(command));
        Assert.Equal(0, await Run(command));
        Assert.Contains("2 images drawn, 2 are in", Output.ToString(), StringComparison.Ordinal);
        Assert.Contains("0 images drawn, 2 are in", Output.ToString(), StringComparison.Ordinal);
        Assert.Equal(2, Directory.GetFiles(Folder.File("class"), "class-*.png").Length);
        Assert.NotEqual(0, await Run(command[..^1]));
        Assert.NotEqual(0, await Run([.. command[..^2], "--steps", "0"]));
        Assert.Contains("Steps", Errors.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task ConvertLora_ToPeft_AndBack_KeepsTheNumbers()
    {
        var (source, peft) = (Folder.File("lora.safetensors"), Folder.File("peft.safetensors"));
        const string layer = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q";
        using var scope = NewDisposeScope();
        var down = rand(2, 320);
        StateDictWriter.Save(source,
            [($"{layer}.lora_down.weight", down), ($"{layer}.lora_up.weight", rand(320, 2)), ($"{layer}.alpha", tensor(1f))]);
        Assert.Equal(0, await Run("convert-lora", "--model", source, "--save_to", peft, "--to", "peft"));
        using (var file = WeightFile.Open(peft))
            Assert.Contains("unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.lora_A.weight", file.Names);
        Assert.Equal(1, await Run("convert-lora", "--model", peft, "--save_to", source));
        Assert.Contains("--overwrite", Errors.ToString(), StringComparison.Ordinal);
        Assert.Equal(0, await Run("convert-lora", "--model", peft, "--save_to", source, "--overwrite"));
        using var back = WeightFile.Open(source);
        Assert.True(back.Load($"{layer}.lora_down.weight", ScalarType.Float32).eq(down).all().item<bool>());
    }

    [Fact]
    public async Task ResizeLora_Verbose_ShowsEachLayer()
    {
        Assert.Equal(0, await Run("resize-lora", "--model", A, "--save_to", Result, "--new_rank", "6", "--dynamic_method", "sv_fro",
            "--dynamic_param", "0.9", "--verbose"));
        Assert.Contains("lora_unet_down_blocks_0_resnets_0_conv1", Output.ToString(), StringComparison.Ordinal);
        Assert.Contains("on average", Output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task SvdMergeLora_WithBlockWeights_WritesTheFile()
    {
        var list = "[" + string.Join(',', Enumerable.Repeat("0.5", 17)) + "]";
        Assert.Equal(0, await Run(
            "svd-merge-lora", "--models", A, C, "--ratios", "1", "0.5", "--lbws", list, list, "--new_rank", "4", "--save_to", Result));
        Assert.Equal(1, await Run("svd-merge-lora", "--models", A, "--lbws", "1,2", "--save_to", Folder.File("other.safetensors")));
        Assert.Contains("--lbws is \"1,2\"", Errors.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Models_AreTunedComparedMergedAndWritten()
    {
        var model = FixtureModels.TinySd15(Folder);
        var (tuned, lora) = (Folder.File("tuned"), Lora("down_blocks_0_attentions_0_proj_in"));
        Assert.Equal(0, await Run("merge-into-model", "--sd_model", model, "--models", lora, "--save_to", tuned));
        Assert.Equal(0, await Run("extract-lora", "--model_org", model, "--model_tuned", tuned, "--save_to", Result, "--dim", "2"));
        Assert.Contains("text encoders", Errors.ToString(), StringComparison.Ordinal);
        Assert.Equal(0, await Run("merge-models", "--models", model, tuned, "--ratios", "1", "3", "--output", Folder.File("mean"),
            "--unet_only"));
        Assert.True(File.Exists(Folder.File("mean", "model_index.json")));
        Assert.Equal(0, await Run("merge-models", "--models", model, tuned, model, "--add_difference", "--ratios", "0.5", "--output",
            Folder.File("sum.safetensors")));
        Assert.Equal(0, await Run("inspect", Folder.File("mean")));
        Assert.Contains("Stable Diffusion 1.x", Output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Inspect_OfALora_ShowsNormsAndDrawsThem()
    {
        var picture = Folder.File("norms.png");
        Assert.Equal(0, await Run("inspect", A, "--norms", "--heat_map", picture));
        Assert.Contains("unet 1", Output.ToString(), StringComparison.Ordinal);
        Assert.Equal([0x89, (byte)'P', (byte)'N', (byte)'G'], File.ReadAllBytes(picture)[..4]);
        Assert.Equal(1, await Run("inspect", A, "--heat_map", picture));
        Assert.Contains("--overwrite", Errors.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task ShowMetadata_AndHash_SayWhatTheFileCarries()
    {
        Assert.Equal(0, await Run("show-metadata", "--model", A));
        Assert.Contains("\"ss_network_dim\": \"6\"", Output.ToString(), StringComparison.Ordinal);
        Assert.Equal(0, await Run("hash", A, C));
        // file_tools.json: the hash of the whole file.
        Assert.Contains("4bbd9cb802fa78fb49b108073b499d33702e7b8a0668182bcf3004073d309410", Output.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("the file says", Output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task WrongUsage_IsToldWithTheWayToTheHelp()
    {
        Assert.Equal(2, await Run("merge-lora", "--models", A, "--save_too", Result));
        Assert.Contains("--save_to", Errors.ToString(), StringComparison.Ordinal);
        Assert.Contains("stabletune merge-lora --help", Errors.ToString(), StringComparison.Ordinal);
        Assert.Equal(2, await Run("merge-lora", "--models", A, "--save_to", Result, "--precision", "fp13"));
        Assert.Equal(2, await Run("no-such-command"));
    }

    [Fact]
    public async Task Errors_NameWhatIsWrong_WithoutAStackTrace()
    {
        Assert.Equal(1, await Run("merge-lora", "--models", A, "--ratios", "1", "2", "--save_to", Result));
        Assert.Equal(1, await Run("merge-lora", "--models", Folder.File("missing.safetensors"), "--save_to", Result));
        Assert.Equal(1, await Run("resize-lora", "--model", A, "--save_to", Result, "--dynamic_method", "sv_fro"));
        File.WriteAllText(Result, "mine");
        Assert.Equal(1, await Run("merge-lora", "--models", A, "--save_to", Result));
        var errors = Errors.ToString();
        foreach (var words in new[] { "--ratios", "missing.safetensors", "--dynamic_param", "Overwrite" })
            Assert.Contains(words, errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", errors, StringComparison.Ordinal);
        Assert.Equal("mine", File.ReadAllText(Result));
        Assert.Equal(0, await Run("merge-lora", "--models", A, "--save_to", Result, "--overwrite"));
    }

    [Fact]
    public async Task Cancelling_EndsWithItsOwnCode_AndLeavesNothing()
    {
        using var source = new CancellationTokenSource();
        source.Cancel();
        Assert.Equal(130, await Run(["merge-lora", "--models", A, C, "--save_to", Result], source.Token));
        Assert.Contains("cancelled", Errors.ToString(), StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(Folder.Path));
    }

    private string Lora(string layer)
    {
        using var scope = NewDisposeScope();
        using var random = new Generator(1);
        var model = FixtureModels.TinySd15(Folder);
        using var weights = WeightFile.Open(Path.Combine(model, "unet", "diffusion_pytorch_model.safetensors"));
        var shape = weights.Source["down_blocks.0.attentions.0.proj_in.weight"].Shape;
        var path = Folder.File("lora.safetensors");
        StateDictWriter.Save(path,
        [
            ($"lora_unet_{layer}.lora_down.weight", randn([2, shape[1], 1, 1], generator: random)),
            ($"lora_unet_{layer}.lora_up.weight", randn([shape[0], 2, 1, 1], generator: random)),
        ]);
        return path;
    }
}
