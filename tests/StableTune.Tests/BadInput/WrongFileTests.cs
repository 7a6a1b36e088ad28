using System.Text;
using StableTune.Checkpoints;
using StableTune.Models;

namespace StableTune.Tests;

/// <summary>What a user is told who gives the wrong file, or options that do not go with it.</summary>
public sealed class WrongFileTests : IDisposable
{
    private readonly ModelForms _forms = new();

    public void Dispose() => _forms.Dispose();

    [Theory]
    [InlineData("nowhere.safetensors", "there is no such file or folder")]
    [InlineData("text.safetensors", "it is a text file")]
    [InlineData("loop.safetensors", "the link leads back to itself")]
    [InlineData("dangling.safetensors", "the file does not exist")]
    [InlineData("page.ckpt", "it is a web page")]
    [InlineData("system.ckpt", "'os.system'")]
    public void LoadConvertAndVae_SayWhatIsWrong_AndLeaveNothing(string name, string expected)
    {
        File.WriteAllText(_forms.Folder.File("text.safetensors"), "A recipe for soup: take onions, and fry them until they are golden.");
        File.CreateSymbolicLink(_forms.Folder.File("loop.safetensors"), _forms.Folder.File("loop.safetensors"));
        File.CreateSymbolicLink(_forms.Folder.File("dangling.safetensors"), _forms.Folder.File("gone.safetensors"));
        File.WriteAllText(_forms.Folder.File("page.ckpt"), "<!DOCTYPE html><html><body>Log in</body></html>");
        File.WriteAllBytes(_forms.Folder.File("system.ckpt"),
            [0x80, 2, .. Encoding.ASCII.GetBytes("cos\nsystem\nX"), 2, 0, 0, 0, (byte)'i', (byte)'d', 0x85, (byte)'R', (byte)'.']);
        var (path, held, target) = (_forms.Folder.File(name), TinyRun.HeldTensors, _forms.Folder.File("out", "model.safetensors"));
        foreach (var act in new Action[]
        {
            () => ModelLoader.Load(path), () => ModelConverter.Convert(path, target),
            () => ModelLoader.Load(_forms.Path("tiny-sd15"), new ModelLoadOptions { VaePath = path }),
        })
        {
            var error = Assert.ThrowsAny<InvalidFileException>(act);
            Assert.Equal(path, error.Path);
            Assert.Contains(expected, error.Fault, StringComparison.Ordinal);
            Assert.NotEmpty(error.Remedy);
        }

        Assert.Contains(expected, Assert.Single(ModelLoader.Check(path)).Rule, StringComparison.Ordinal);
        Assert.Equal(held, TinyRun.HeldTensors);
        Assert.False(Directory.Exists(_forms.Folder.File("out")));
    }

    [Fact]
    public void Load_OptionsThatDoNotGoWithAFolder_AreNoted()
    {
        var path = _forms.Path("tiny-sd15");
        Assert.Empty(Notes(new ModelLoadOptions()));
        Assert.Contains("ConfigurationPath", Assert.Single(Notes(new ModelLoadOptions { ConfigurationPath = path })),
            StringComparison.Ordinal);
        Assert.Contains("Ema", Assert.Single(Notes(new ModelLoadOptions { Ema = EmaWeights.Prefer })), StringComparison.Ordinal);
        Assert.Equal("There are no weights of the variant \"fp16\": diffusion_pytorch_model.safetensors was taken.",
            Assert.Single(Notes(new ModelLoadOptions { Variant = "fp16" })));

        IReadOnlyList<string> Notes(ModelLoadOptions options)
        {
            using var model = ModelLoader.Load(path, options with { Parts = ModelParts.Vae });
            return model.Details!.Notes;
        }
    }

    [Fact]
    public void SaveAs_WhatASingleFileCannotSay_IsNoted()
    {
        using var usual = ModelLoader.Load(_forms.Path("tiny-sd15"));
        Assert.Empty(usual.SaveAs(_forms.Folder.File("sd1.safetensors")).Notes);
        Assert.Contains("FrozenCLIPEmbedder", File.ReadAllText(_forms.Folder.File("sd1.yaml")), StringComparison.Ordinal);
        Assert.Contains("attention heads",
            Assert.Single(usual.SaveAs(_forms.Folder.File("none.safetensors"), new ModelSaveOptions { WriteYaml = false }).Notes),
            StringComparison.Ordinal);

        // Its middle has heads of half the width of the others.
        using var uneven = ModelLoader.Load(_forms.Path("tiny-sd21-v"));
        Assert.Contains("attention heads", Assert.Single(uneven.SaveAs(_forms.Folder.File("sd2.safetensors")).Notes),
            StringComparison.Ordinal);
        Assert.Contains("FrozenOpenCLIPEmbedder", File.ReadAllText(_forms.Folder.File("sd2.yaml")), StringComparison.Ordinal);
    }
}
