using StableTune.Formats;
using StableTune.Models;

namespace StableTune.Checkpoints.Tests;

/// <summary>What is found out from names and shapes of the published models.</summary>
public sealed class SingleFileDetectionTests
{
    private static readonly SingleFileOptions V = new() { Prediction = ModelPrediction.V };

    [Fact]
    public void Open_PublishedSd15_FindsItsArchitecture()
    {
        using var checkpoint = Open(MemoryTensorFile.Published("sd15", "unet", "vae", "text_encoder"));

        Assert.Equal((ModelVersion.Sd1, ModelPrediction.Epsilon), (checkpoint.Version, checkpoint.Details.Prediction));
        AssertSame(UNetOptions.Sd15, checkpoint.UNet.Options);
        AssertSame(VaeOptions.Sd15, checkpoint.Vae!.Options);
        AssertSame(ClipTextOptions.Sd15, checkpoint.TextEncoder!.Options);
        AssertSame(SchedulerOptions.Sd15, checkpoint.Scheduler);
        Assert.Null(checkpoint.TextEncoder2);
        Assert.Empty(checkpoint.Details.Notes);
    }

    [Fact]
    public void Open_PublishedSd21_FindsItsArchitecture()
    {
        // As published: with the layer, the projection and the scale that the model does not use.
        var file = MemoryTensorFile.Published("sd21", "unet", "vae", "text_encoder")
            .Add("cond_stage_model.model.text_projection", 1024, 1024).Add("cond_stage_model.model.logit_scale");
        foreach (var info in file.Tensors.Where(info => info.Name.Contains("resblocks.22.", StringComparison.Ordinal)))
            file.Add(info.Name.Replace(".22.", ".23.", StringComparison.Ordinal), [.. info.Shape]);
        using var checkpoint = Open(file, V);

        Assert.Equal((ModelVersion.Sd2, ModelPrediction.V), (checkpoint.Version, checkpoint.Details.Prediction));
        AssertSame(UNetOptions.Sd21, checkpoint.UNet.Options);
        AssertSame(VaeOptions.Sd15, checkpoint.Vae!.Options);
        AssertSame(ClipTextOptions.Sd21, checkpoint.TextEncoder!.Options);
        AssertSame(SchedulerOptions.Sd21, checkpoint.Scheduler);
        Assert.Empty(checkpoint.Details.Notes);
        Assert.Equal(14, checkpoint.Carried.Count);
    }

    [Fact]
    public void Open_Sd21WithoutItsUnusedLayer_HasTheSameTextEncoder()
    {
        using var checkpoint = Open(MemoryTensorFile.Published("sd21", "unet", "text_encoder"), V);
        AssertSame(ClipTextOptions.Sd21, checkpoint.TextEncoder!.Options);
    }

    [Fact]
    public void Open_PublishedSdxl_FindsItsArchitecture()
    {
        using var checkpoint = Open(MemoryTensorFile.Published("sdxl", "unet", "vae", "text_encoder", "text_encoder_2")
            .Add("conditioner.embedders.1.model.logit_scale"));

        Assert.Equal((ModelVersion.Sdxl, ModelPrediction.Epsilon), (checkpoint.Version, checkpoint.Details.Prediction));
        AssertSame(UNetOptions.Sdxl, checkpoint.UNet.Options);
        AssertSame(VaeOptions.Sdxl, checkpoint.Vae!.Options);
        AssertSame(ClipTextOptions.Sd15, checkpoint.TextEncoder!.Options);
        AssertSame(ClipTextOptions.SdxlSecond, checkpoint.TextEncoder2!.Options);
        Assert.Equal(["conditioner.embedders.1.model.logit_scale"], checkpoint.Carried.Select(info => info.Name));
    }

    [Theory]
    [InlineData("sd15", ModelVersion.Sd1)]
    [InlineData("sd21", ModelVersion.Sd2)]
    [InlineData("sdxl", ModelVersion.Sdxl)]
    public void Open_UNetOnly_KnowsTheFamilyFromTheContext(string model, ModelVersion expected)
    {
        using var checkpoint = Open(MemoryTensorFile.Published(model, "unet"), V);

        Assert.Equal(expected, checkpoint.Version);
        Assert.Null(checkpoint.Vae);
        Assert.Null(checkpoint.TextEncoder);
        Assert.Equal(["The file lacks a text encoder.", "The file lacks a VAE."], checkpoint.Details.Notes);
    }

    [Theory]
    [InlineData(9, ModelKind.Inpainting)]
    [InlineData(5, ModelKind.Depth)]
    [InlineData(8, ModelKind.InstructPix2Pix)]
    [InlineData(7, ModelKind.Other)]
    public void Open_OtherInputChannels_AreReported(int channels, ModelKind expected)
    {
        using var checkpoint = Open(MemoryTensorFile.Published("sd15", "unet")
            .Replace("model.diffusion_model.input_blocks.0.0.weight", 320, channels, 3, 3));

        Assert.Equal((channels, expected), (checkpoint.UNet.Options.InChannels, checkpoint.Details.Kind));
    }

    [Fact]
    public void Open_ConvolutionalProjectionsOfSd2_AreKept()
    {
        var file = MemoryTensorFile.Published("sd21", "unet");
        foreach (var info in file.Tensors.Where(info => info.Name.Contains(".proj_", StringComparison.Ordinal) && info.Shape.Count == 2))
            file.Replace(info.Name, [.. info.Shape, 1, 1]);
        using var checkpoint = Open(file, V);
        Assert.False(checkpoint.UNet.Options.UseLinearProjection);
        Assert.Equal(TensorForm.Convolution, checkpoint.UNet.Layout.ToFile("mid_block.attentions.0.proj_in.weight")!.Value.Form);
    }

    [Theory]
    [InlineData("v_pred", "leading", false)]
    [InlineData("ztsnr", "trailing", true)]
    public void Open_SdxlWithAMark_PredictsVelocity(string mark, string spacing, bool zeroSnr)
    {
        using var checkpoint = Open(MemoryTensorFile.Published("sdxl", "unet", "text_encoder", "text_encoder_2").Add(mark, 0));

        Assert.Equal(ModelPrediction.V, checkpoint.Details.Prediction);
        Assert.Contains(mark, checkpoint.Details.PredictionOrigin, StringComparison.Ordinal);
        Assert.Equal((ModelPrediction.V, spacing, zeroSnr),
            (checkpoint.Scheduler.Prediction, checkpoint.Scheduler.TimestepSpacing, checkpoint.Scheduler.RescaleBetasZeroSnr));
        Assert.Equal([mark], checkpoint.Carried.Select(info => info.Name));
        Assert.Equal(["The file lacks a VAE."], checkpoint.Details.Notes);
    }

    [Theory]
    [InlineData("modelspec.prediction_type", "v", ModelPrediction.V)]
    [InlineData("modelspec.prediction_type", "epsilon", ModelPrediction.Epsilon)]
    [InlineData("modelspec.architecture", "stable-diffusion-v2-768-v", ModelPrediction.V)]
    [InlineData("modelspec.architecture", "stable-diffusion-v2-512", ModelPrediction.Epsilon)]
    public void Open_Sd2WithMetadata_PredictsWhatItSays(string key, string value, ModelPrediction expected)
    {
        var file = MemoryTensorFile.Published("sd21", "unet", "text_encoder");
        file.Texts[key] = value;
        using var checkpoint = Open(file);

        Assert.Equal((expected, "from " + key), (checkpoint.Details.Prediction, checkpoint.Details.PredictionOrigin));
        // The 512 pixel model neither overflows nor is made for 96 latent pixels.
        Assert.Equal(expected == ModelPrediction.V ? (96, true) : (64, false),
            (checkpoint.UNet.Options.SampleSize, checkpoint.UNet.Options.UpcastAttention));
    }

    [Fact]
    public void Open_Sd2WithoutAnyHint_AsksForThePrediction()
    {
        var fault = Assert.Throws<InvalidFileException>(() => Open(MemoryTensorFile.Published("sd21", "unet", "text_encoder")));
        Assert.Contains("the option Prediction to Epsilon or V", fault.Remedy, StringComparison.Ordinal);
        Assert.Contains(".yaml", fault.Remedy, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(9)]
    [InlineData(5)]
    public void Open_Sd2ForInpaintingOrDepth_PredictsNoise(int channels)
    {
        using var checkpoint = Open(MemoryTensorFile.Published("sd21", "unet")
            .Replace("model.diffusion_model.input_blocks.0.0.weight", 320, channels, 3, 3));
        Assert.Equal(ModelPrediction.Epsilon, checkpoint.Details.Prediction);
    }

    [Fact]
    public void Open_OptionAgainstMetadata_TheOptionCounts()
    {
        var file = MemoryTensorFile.Published("sd21", "unet", "text_encoder");
        file.Texts["modelspec.prediction_type"] = "v";
        using var checkpoint = Open(file, new SingleFileOptions { Prediction = ModelPrediction.Epsilon });
        Assert.Equal((ModelPrediction.Epsilon, "from the option Prediction"),
            (checkpoint.Details.Prediction, checkpoint.Details.PredictionOrigin));
    }

    [Fact]
    public void Open_OldTextEncoderNames_FindsTheSame()
    {
        var file = MemoryTensorFile.Published("sd15", "unet");
        foreach (var row in RealModelKeys.Rows("sd15", "text_encoder"))
            file.Add(row.FileName.Replace("text_model.", "", StringComparison.Ordinal), row.FileShape);
        using var checkpoint = Open(file);
        AssertSame(ClipTextOptions.Sd15, checkpoint.TextEncoder!.Options);
        Assert.Equal(RealModelKeys.Rows("sd15", "text_encoder").Select(row => row.Name).Order(StringComparer.Ordinal),
            checkpoint.TextEncoder.Weights.Tensors.Select(info => info.Name).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Open_ExplicitArchitecture_CountsBeforeAllElse()
    {
        var unet = UNetOptions.Sd15 with { NormNumGroups = 16, AttentionHeads = [4, 4, 4, 4] };
        using var checkpoint = Open(MemoryTensorFile.Published("sd15", "unet"), new SingleFileOptions { UNet = unet });
        Assert.Same(unet, checkpoint.UNet.Options);
    }

    [Fact]
    public void Open_ExtraTensors_AreNotedWithExamplesAndCarried()
    {
        var file = MemoryTensorFile.Published("sd15", "unet", "vae", "text_encoder")
            .Add("betas", 1000).Add("model.diffusion_model.unknown.weight", 3).Add("model_ema.decay")
                .Add("cond_stage_model.transformer.text_model.embeddings.position_ids", 1, 77);
        using var checkpoint = Open(file);

        Assert.Equal(
            [
                "1 tensors of averaged weights (model_ema) are left out; EmaWeights.Prefer takes them.",
                "2 tensors belong to no part and are left out: 'betas', 'model.diffusion_model.unknown.weight'.",
            ], checkpoint.Details.Notes);
        Assert.Equal(["betas", "model.diffusion_model.unknown.weight"], checkpoint.Carried.Select(info => info.Name));
    }

    [Fact]
    public void Details_ToString_TellsEverything()
    {
        using var checkpoint = Open(MemoryTensorFile.Published("sd15", "unet", "vae", "text_encoder").Add("betas", 1000));
        Assert.Equal(
            "Stable Diffusion 1.x (from the names of its text encoder), epsilon prediction (as its generation does), single torch "
                + "checkpoint: text_encoder F16, unet F16, vae F16",
            checkpoint.Details.ToString());
    }

    [Fact]
    public void Dispose_ClosesTheFile()
    {
        var file = MemoryTensorFile.Published("sd15", "unet");
        using (Open(file)) Assert.False(file.IsDisposed);
        Assert.True(file.IsDisposed);
    }

    private static SingleFileCheckpoint Open(MemoryTensorFile file, SingleFileOptions? options = null) =>
        SingleFileCheckpoint.Open(file, options);

    // Lists are compared by content.
    private static void AssertSame<T>(T expected, T actual) => Assert.Equivalent(expected, actual, strict: true);
}
