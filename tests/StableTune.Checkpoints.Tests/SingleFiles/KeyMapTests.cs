using StableTune.Models;

namespace StableTune.Checkpoints.Tests;

/// <summary>The maps against the names and shapes of the published models, both ways, with nothing left over.</summary>
public sealed class KeyMapTests
{
    public static TheoryData<string, string> Parts => new()
    {
        { "sd15", "unet" }, { "sd15", "vae" }, { "sd15", "text_encoder" },
        { "sd21", "unet" }, { "sd21", "vae" }, { "sd21", "text_encoder" },
        { "sdxl", "unet" }, { "sdxl", "vae" }, { "sdxl", "text_encoder" }, { "sdxl", "text_encoder_2" },
    };

    [Theory]
    [MemberData(nameof(Parts))]
    public void ToFile_PublishedModel_GivesEveryNameAndShape(string model, string part)
    {
        var layout = RealModelKeys.Layout(model, part);
        foreach (var row in RealModelKeys.Rows(model, part))
        {
            var found = layout.ToFile(row.Name);
            Assert.Equal(row.FileName, found?.Name);
            Assert.Equal(row.FileShape, found!.Value.Form.FileShape(row.Shape));
        }
    }

    [Theory]
    [MemberData(nameof(Parts))]
    public void FromFile_PublishedModel_GivesExactlyTheNamesAndShapes(string model, string part)
    {
        var layout = RealModelKeys.Layout(model, part);
        var rows = RealModelKeys.Rows(model, part);
        var found = rows.GroupBy(row => row.FileName).SelectMany(file =>
            layout.FromFile(file.Key).Select(name => (name.Name, Shape: name.Form.ModuleShape(file.First().FileShape)!))).ToList();

        Assert.Equal(
            rows.Select(row => Describe(row.Name, row.Shape)).Order(StringComparer.Ordinal),
            found.Select(tensor => Describe(tensor.Name, tensor.Shape)).Order(StringComparer.Ordinal));

        static string Describe(string name, IEnumerable<long> shape) => $"{name} [{string.Join(", ", shape)}]";
    }

    [Theory]
    [MemberData(nameof(Parts))]
    public void Rows_PublishedModel_AreAllUsed(string model, string part)
    {
        var layout = RealModelKeys.Layout(model, part);
        var names = RealModelKeys.Rows(model, part).Select(row => row.Name).ToList();
        // Every resnet has a row for its shortcut, but only those have one whose channels change.
        foreach (var row in layout.Rows.Where(row =>
            row.Use == LayoutUse.Both && !row.Module.EndsWith(".conv_shortcut", StringComparison.Ordinal)))
            Assert.Contains(names, name => name == row.Module || name.StartsWith(row.Module + ".", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("sd15")]
    [InlineData("sd21")]
    [InlineData("sdxl")]
    public void ToFile_OldVaeNames_GiveTheSameAsToday(string model)
    {
        var layout = RealModelKeys.Layout(model, "vae");
        var names = RealModelKeys.OldVaeNames(model);
        Assert.Equal(16, names.Count);
        Assert.All(names, pair => Assert.Equal(layout.ToFile(pair.Today), layout.ToFile(pair.Old)));
    }

    [Fact]
    public void Vae_WithoutPrefix_HasTheSameNamesBehindIt()
    {
        var layout = KeyMap.Vae(VaeOptions.Sd15, prefix: "");
        foreach (var row in RealModelKeys.Rows("sd15", "vae"))
            Assert.Equal(row.FileName[KeyMap.VaePrefix.Length..], layout.ToFile(row.Name)?.Name);
        Assert.Empty(layout.FromFile("loss.discriminator.main.0.weight"));
    }

    [Fact]
    public void ClipText_OldNamesWithoutTextModel_AreRead()
    {
        var layout = KeyMap.ClipText(ClipTextOptions.Sd15);
        foreach (var row in RealModelKeys.Rows("sd15", "text_encoder"))
            Assert.Equal([new LayoutName(row.Name, TensorForm.Same)],
                layout.FromFile(row.FileName.Replace("text_model.", "", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("sd15", "text_encoder")]
    [InlineData("sd21", "text_encoder")]
    [InlineData("sdxl", "text_encoder_2")]
    public void ToFile_NamesWithoutTextModel_AreWrittenAsWithIt(string model, string part)
    {
        var layout = RealModelKeys.Layout(model, part);
        foreach (var row in RealModelKeys.Rows(model, part))
            Assert.Equal(row.FileName, layout.ToFile(row.Name.Replace("text_model.", "", StringComparison.Ordinal))?.Name);
    }

    [Theory]
    [InlineData("cond_stage_model.model.transformer.resblocks.23.ln_1.weight", true)]
    [InlineData("cond_stage_model.model.transformer.resblocks.22.ln_1.weight", false)]
    [InlineData("cond_stage_model.model.text_projection", true)]
    [InlineData("cond_stage_model.model.logit_scale", true)]
    [InlineData("cond_stage_model.model.logit_scales", false)]
    [InlineData("logit_scale", false)]
    public void IsUnused_Sd2Text_KnowsWhatTheModelLeavesOut(string name, bool expected)
    {
        var layout = KeyMap.OpenClipText(ClipTextOptions.Sd21);
        Assert.Equal(expected, layout.IsUnused(name));
        if (expected) Assert.Empty(layout.FromFile(name));
    }

    [Theory]
    [InlineData("model.diffusion_model.input_blocks.3.0.conv.weight")]      // the downsampler's convolution is called op
    [InlineData("model.diffusion_model.input_blocks.12.0.in_layers.0.weight")]
    [InlineData("model.diffusion_model.label_emb.0.0.weight")]
    [InlineData("model.diffusion_model.conv_in.weight")]
    [InlineData("input_blocks.0.0.weight")]
    [InlineData("")]
    [InlineData(".")]
    [InlineData("...")]
    public void FromFile_NamesOfNoRow_GiveNothing(string name) => Assert.Empty(KeyMap.UNet(UNetOptions.Sd15).FromFile(name));
}
