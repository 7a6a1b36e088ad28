namespace StableTune.Hub.Tests;

public sealed class ModelFilesTests
{
    private const string Index = """
        {"_class_name": "StableDiffusionPipeline", "_diffusers_version": "0.6.0", "requires_safety_checker": true,
         "feature_extractor": ["transformers", "CLIPImageProcessor"], "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
         "scheduler": ["diffusers", "PNDMScheduler"], "text_encoder": ["transformers", "CLIPTextModel"], "tokenizer": ["transformers", "CLIPTokenizer"],
         "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"], "image_encoder": [null, null]}
        """;

    private const string Name = "unet/diffusion_pytorch_model";

    private static readonly string[] Repository =
    [
        ".gitattributes", "README.md", "model_index.json", "v1-5-pruned.ckpt", "v1-5-pruned-emaonly.safetensors", "v1-inference.yaml",
        "feature_extractor/preprocessor_config.json",
        "safety_checker/config.json", "safety_checker/model.safetensors", "safety_checker/pytorch_model.bin",
        "scheduler/scheduler_config.json",
        "text_encoder/config.json", "text_encoder/flax_model.msgpack", "text_encoder/model.fp16.safetensors",
            "text_encoder/model.safetensors",
        "text_encoder/model.onnx", "text_encoder/openvino_model.bin", "text_encoder/openvino_model.xml", "text_encoder/pytorch_model.bin",
        "tokenizer/merges.txt", "tokenizer/special_tokens_map.json", "tokenizer/tokenizer_config.json", "tokenizer/vocab.json",
        "unet/config.json", "unet/diffusion_flax_model.msgpack", "unet/diffusion_pytorch_model.bin",
            "unet/diffusion_pytorch_model.fp16.bin",
        "unet/diffusion_pytorch_model.non_ema.safetensors", "unet/diffusion_pytorch_model.safetensors",
        "vae/config.json", "vae/diffusion_pytorch_model.bin", "vae_1_0/config.json", "vae_1_0/diffusion_pytorch_model.safetensors",
        "vae_decoder/model.onnx",
    ];

    [Fact]
    public void Select_TakesWhatTheIndexNames_IndexFirst_WeightsLast()
    {
        string[] expected =
        [
            "model_index.json",
            "feature_extractor/preprocessor_config.json", "safety_checker/config.json", "scheduler/scheduler_config.json",
                "text_encoder/config.json",
            "tokenizer/merges.txt", "tokenizer/special_tokens_map.json", "tokenizer/tokenizer_config.json", "tokenizer/vocab.json",
                "unet/config.json",
            "vae/config.json",
            "text_encoder/model.safetensors", "unet/diffusion_pytorch_model.safetensors", "vae/diffusion_pytorch_model.bin",
        ];
        var chosen = ModelFiles.Select(Repository, Index);
        Assert.Equal(expected, chosen);
        Assert.Empty(ModelFiles.Missing(chosen, Index));
    }

    [Fact]
    public void Select_WithVariant_TakesItWhereItIs()
    {
        var chosen = ModelFiles.Select(Repository, Index, "fp16");
        Assert.Contains("text_encoder/model.fp16.safetensors", chosen);
        Assert.DoesNotContain("text_encoder/model.safetensors", chosen);
        Assert.Contains("unet/diffusion_pytorch_model.safetensors", chosen);       // safetensors come before the variant
        Assert.DoesNotContain("unet/diffusion_pytorch_model.fp16.bin", chosen);
        Assert.Contains("unet/diffusion_pytorch_model.non_ema.safetensors", ModelFiles.Select(Repository, Index, "non_ema"));
    }

    [Theory]
    [InlineData("fp16", ".fp16.safetensors", ".safetensors .fp16.bin .bin")]
    [InlineData("fp16", ".safetensors", ".fp16.bin .bin")]
    [InlineData("fp16", ".fp16.bin", ".bin .bf16.safetensors")]
    [InlineData("fp16", ".bin", ".bf16.bin")]
    [InlineData(null, ".safetensors", ".fp16.safetensors .bin")]
    [InlineData(null, ".bin", ".fp16.safetensors .fp16.bin")]
    public void Select_TakesOneFormOfWeights(string? variant, string taken, string left)
    {
        string[] paths = ["model_index.json", "unet/config.json", Name + taken, .. left.Split(' ').Select(ending => Name + ending)];
        Assert.Equal(["model_index.json", "unet/config.json", Name + taken], ModelFiles.Select(paths, OnlyUNet, variant));
    }

    [Theory]
    [InlineData(null, ".safetensors.index.json", "-00001-of-00002.safetensors", "-00002-of-00002.safetensors")]
    [InlineData(null, ".bin.index.json", "-00001-of-00002.bin", "-00002-of-00002.bin")]
    [InlineData("fp16", ".safetensors.index.fp16.json", "-00001-of-00002.fp16.safetensors", "-00002-of-00002.fp16.safetensors")]
    [InlineData("fp16", ".fp16.safetensors.index.json", ".fp16-00001-of-00002.safetensors", ".fp16-00002-of-00002.safetensors")]
    public void Select_TakesShardsWithTheirIndex(string? variant, string index, string one, string two)
    {
        string[] all = [Name + index, Name + one, Name + two];
        var chosen = ModelFiles.Select(["model_index.json", "unet/config.json", .. all], OnlyUNet, variant);
        Assert.Equal(all.Concat(["model_index.json", "unet/config.json"]).Order(StringComparer.Ordinal),
            chosen.Order(StringComparer.Ordinal));
        Assert.Empty(ModelFiles.Missing(chosen, OnlyUNet));
        Assert.Equal(["unet: 1 shard(s) of the weights"],
            ModelFiles.Missing(["model_index.json", "unet/config.json", .. all[..2]], OnlyUNet));
    }

    [Fact]
    public void Select_PrefersOneFileToShards_AndWholeFormsToTornOnes()
    {
        string[] paths = ["model_index.json", "unet/config.json", Name + ".safetensors", Name + ".safetensors.index.json",
            Name + "-00001-of-00001.safetensors"];
        Assert.Equal(["model_index.json", "unet/config.json", Name + ".safetensors"], ModelFiles.Select(paths, OnlyUNet));
        string[] torn = ["model_index.json", "unet/config.json", Name + ".bin", Name + ".safetensors.index.json",
            Name + "-00001-of-00002.safetensors"];
        Assert.Equal(["model_index.json", "unet/config.json", Name + ".bin"], ModelFiles.Select(torn, OnlyUNet));
    }

    [Fact]
    public void Select_WithoutIndex_TakesOnePart_OrNothing()
    {
        string[] vae = ["README.md", "config.json", "diffusion_pytorch_model.bin", "diffusion_pytorch_model.safetensors",
            "vae-ft-mse.ckpt"];
        Assert.Equal(["config.json", "diffusion_pytorch_model.safetensors"], ModelFiles.Select(vae, null));
        Assert.Empty(ModelFiles.Select(["README.md", "sd.safetensors", "sd.ckpt"], null));
        Assert.Empty(ModelFiles.Select(["config.json", "sd.ckpt"], null));
        Assert.NotEmpty(ModelFiles.Missing(["config.json", "sd.ckpt"], null));
        Assert.Empty(ModelFiles.Missing(["config.json", "diffusion_pytorch_model.bin"], null));
    }

    [Fact]
    public void Missing_NamesEachPart()
    {
        string[] there = ["model_index.json", "text_encoder/config.json", "text_encoder/flax_model.msgpack", "tokenizer/vocab.json",
            "unet/diffusion_pytorch_model.bin"];
        Assert.Equal(
            ["scheduler: scheduler_config.json", "text_encoder: weights", "tokenizer: vocabulary", "unet: config.json", "vae: config.json"],
            ModelFiles.Missing(there, Index));
    }

    [Theory]
    [InlineData("tokenizer.json")]
    [InlineData("vocab.txt")]
    [InlineData("spiece.model")]
    public void Missing_KnowsOtherVocabularies(string file) =>
        Assert.Empty(ModelFiles.Missing(["model_index.json", "tokenizer/" + file], """{"tokenizer": ["transformers", "BertTokenizer"]}"""));

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{\"unet\": [\"a\"")]
    [InlineData("{\"unet\": [\"a\", \"\\ud800\"]}")]
    [InlineData("{\"\\ud800\": [\"a\", \"b\"]}")]
    public void Select_RefusesAnIndexThatIsNone(string index)
    {
        Assert.Contains("model_index.json", Assert.Throws<FormatException>(() => ModelFiles.Select(Repository, index)).Message);
        Assert.Throws<FormatException>(() => ModelFiles.Missing(Repository, index));
    }

    [Fact]
    public void Select_PassesOverOddEntriesOfTheIndex() => Assert.Equal(
        ["model_index.json", "unet/config.json"],
        ModelFiles.Select(["model_index.json", "unet/config.json", "../x/config.json"], """{"unet": ["a", "B"], "x": [1, 2], "y": ["a"], "z": {"a": ["b", "c"]}, "..": 5}"""));

    private const string OnlyUNet = """{"unet": ["diffusers", "UNet2DConditionModel"]}""";
}
