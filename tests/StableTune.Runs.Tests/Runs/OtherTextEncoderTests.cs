using StableTune.Adapters;
using StableTune.Checkpoints;
using StableTune.Diffusion;
using StableTune.Models;
using StableTune.Testing;
using StableTune.Training;

namespace StableTune.Tests;

/// <summary>Models whose text encoder is not CLIP: drawn with, and trained on captions in their language.</summary>
public sealed class OtherTextEncoderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Draw_WithAChinesePrompt_HeedsIt()
    {
        using var model = ModelLoader.Load(BertModels.Taiyi(_folder));
        var pipeline = new TextToImagePipeline(model);
        byte[] Draw(string prompt) => pipeline.Generate(
            new TextToImageOptions { Prompt = prompt, Width = 64, Height = 64, Steps = 2, Seed = 3 }).Pixels.ToArray();
        var cat = Draw("一只红色的猫");
        Assert.Equal(cat, Draw("一只红色的猫"));
        Assert.NotEqual(cat, Draw("小桥流水人家"));
    }

    [Theory]
    [InlineData("taiyi", null, 6 * 3, "lora_te_encoder_layer_0_attention_self_query")]
    [InlineData("taiyi", true, 6 * 3, "lora_te_encoder_layer_2_output_dense")]
    [InlineData("roberta", null, 6 * 3, "lora_te_encoder_layer_1_attention_output_dense")]
    [InlineData("ldm", null, 6 * 2, "lora_te_model_layers_1_self_attn_q_proj")]
    public void Train_LoRAOfBothParts_WritesTheTextEncodersLayers(string kind, bool? mask, int modules, string expected)
    {
        var builder = Builder(kind).WithLoRA(rank: 2, alpha: 2);
        if (mask is { } on) builder = builder.WithAttentionMask(on);
        var result = builder.Train();

        Assert.Equal(2, result.Steps);
        Assert.All(result.Losses, loss => Assert.True(double.IsFinite(loss) && loss > 0));
        using var file = Formats.SafetensorsFile.Open(result.Files[0]);
        var names = file.Tensors.Select(tensor => tensor.Name).ToArray();
        Assert.Contains(expected + ".lora_up.weight", names);
        var ups = names.Where(name => name.StartsWith("lora_te_", StringComparison.Ordinal)
            && name.EndsWith(".lora_up.weight", StringComparison.Ordinal)).ToArray();
        Assert.Equal(modules, ups.Length);
        // Gradients went all the way: every up weight, which begins with zeros, has moved.
        using var weights = Tensors.WeightFile.Open(result.Files[0]);
        foreach (var name in ups)
        {
            using var up = weights.Load(name);
            Assert.True(up.abs().max().ToDouble() > 0, name);
        }

        Assert.Equal(1, System.Text.Json.Nodes.JsonNode.Parse(file.Metadata["ss_tag_frequency"])!["1_猫"]!["一只红色的猫"]!.GetValue<int>());
    }

    [Fact]
    public void Train_UnderTheMask_GivesOtherLosses()
    {
        double[] Losses(bool mask) => [.. Builder("taiyi").WithLoRA(rank: 2, alpha: 2).WithAttentionMask(mask).Overwrite().Train().Losses];
        var (hidden, open) = (Losses(true), Losses(false));
        Assert.NotEqual(hidden[0], open[0]);
        Assert.Equal(open, Builder("taiyi").WithLoRA(rank: 2, alpha: 2).Overwrite().Train().Losses.ToArray());
    }

    [Theory]
    [InlineData(75, false)]
    [InlineData(76, true)]
    public void Train_CaptionLongerThanTheLimit_IsWarnedOf(int characters, bool warned)
    {
        var (logger, builder) = (new ListLogger(), Builder("taiyi"));
        File.WriteAllText(_folder.File("1_猫", "0.caption"), new string('猫', characters));   // each is a token
        builder.WithLoRA(rank: 2, alpha: 2).TrainUNetOnly().WithLogger(logger).Train();
        var entries = logger.Entries.Where(entry => entry.Text.Contains("MaxTokenLength", StringComparison.Ordinal)).ToList();
        Assert.Equal(warned ? 1 : 0, entries.Count);
        if (warned) Assert.Contains("0.png has 76 tokens", entries[0].Text, StringComparison.Ordinal);
    }

    [Fact]
    public void Build_MoreTokensThanTheEncoderTakes_IsRefused()
    {
        var error = Assert.Throws<InvalidOptionsException>(() =>
            Builder("taiyi").WithLoRA(rank: 2, alpha: 2).WithMaxTokenLength(150).Build());
        var problem = Assert.Single(error.Problems);
        Assert.Equal("TrainingPlan.MaxTokenLength", problem.Option);
        Assert.Contains("98 tokens", error.Message, StringComparison.Ordinal);
        Assert.Contains("at most 75", error.Message, StringComparison.Ordinal);
    }

    private TrainerBuilder Builder(string kind)
    {
        var images = _folder.Folder("1_猫");
        var path = Path.Combine(images, "0.png");
        Imaging.ImageFile.SavePng(path, new Imaging.Canvas(64, 64, Imaging.PixelColor.FromRgb(0xC04040)).Image);
        File.WriteAllText(Path.ChangeExtension(path, ".caption"), "一只红色的猫");
        return new TrainerBuilder()
            .WithModel(Model(kind))
            .WithImages(images, resolution: 64)
            .WithLearningRate(1e-3)
            .For(TrainingLength.Steps(2))
            .SaveTo(_folder.File("out", "cat.safetensors"));
    }

    private string Model(string kind) => Directory.Exists(_folder.File("tiny-" + kind)) ? _folder.File("tiny-" + kind) : kind switch
    {
        "taiyi" => BertModels.Taiyi(_folder),
        "roberta" => BertModels.Roberta(_folder),
        _ => BertModels.Ldm(_folder),
    };
}
