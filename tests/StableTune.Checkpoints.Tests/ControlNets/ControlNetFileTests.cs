using System.Text.Json.Nodes;
using StableTune.Formats;
using StableTune.Models;
using StableTune.Tensors;
using StableTune.Testing;
using StableTune.Torch;

namespace StableTune.Checkpoints.Tests;

/// <summary>ControlNets in files: all forms hold the same, and what is none is told.</summary>
public sealed class ControlNetFileTests : IDisposable
{
    private static readonly Dictionary<string, UNetOptions> s_families = new(StringComparer.Ordinal)
    {
        ["sd1"] = UNetOptions.Tiny,
        ["sd2"] = UNetOptions.Sd21 with
        {
            BlockOutChannels = [16, 32, 32, 32], AttentionHeads = [2, 4, 4, 8], CrossAttentionDim = 32, NormNumGroups = 8,
        },
        ["sdxl"] = UNetOptions.Sdxl with
        {
            BlockOutChannels = [16, 32, 32], AttentionHeads = [2, 4, 8], TransformerLayersPerBlock = [1, 2, 3], CrossAttentionDim = 80,
            NormNumGroups = 8, AdditionTimeEmbedDim = 8, ProjectionClassEmbeddingsInputDim = 96,
        },
    };

    private readonly TemporaryFolder _folder = new();
    private readonly Generator _random = new(3);

    public void Dispose()
    {
        _random.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData("sd1")]
    [InlineData("sd2")]
    [InlineData("sdxl")]
    public void SaveThenLoad_InEveryForm_GivesTheSame(string family)
    {
        using var unet = new UNet2DConditionModel(s_families[family]);
        using var network = Trained(unet, global: true);
        foreach (var path in new[] { _folder.File("folder"), _folder.File("one.safetensors"), _folder.File("one.ckpt"),
            _folder.File("one.pth") })
        {
            var files = ControlNetSaver.Save(network, path);
            Assert.All(files, file => Assert.True(File.Exists(file), file));
            // Only a configuration says whether residuals are averaged.
            var isFolder = Directory.Exists(path);
            using var loaded = ControlNetLoader.Load(
                path, new ControlNetLoadOptions { UNet = unet, GlobalPoolConditions = isFolder ? null : true });
            Assert.Equivalent(network.Options with { UNet = Bare(network) }, loaded.Options with { UNet = Bare(loaded) }, strict: true);
            AssertSame(network, loaded);
            Assert.All(loaded.parameters(), parameter => Assert.False(parameter.requires_grad));
            Assert.Empty(ControlNetLoader.Check(path, unet.Options));
            Assert.Equal(ContentKind.ControlNet, ModelInspector.Inspect(path).Kind);
        }

        // A part of the options that ControlNets do not have.
        static UNetOptions Bare(ControlNetModel model) => model.Options.UNet with { SampleSize = 64, OutChannels = 4 };
    }

    [Fact]
    public void Folder_NeedsNoUNet_AndHalfPrecisionIsKept()
    {
        using var unet = new UNet2DConditionModel(UNetOptions.Tiny);
        using var network = Trained(unet);
        ControlNetSaver.Save(network, _folder.File("half"), ScalarType.Float16);
        using var loaded = ControlNetLoader.Load(_folder.File("half"));
        Assert.All(loaded.parameters(), parameter => Assert.Equal(ScalarType.Float16, parameter.dtype));
        using var wide = ControlNetLoader.Load(_folder.File("half"), new ControlNetLoadOptions { WeightType = ScalarType.Float32 });
        Assert.All(wide.parameters(), parameter => Assert.Equal(ScalarType.Float32, parameter.dtype));
    }

    [Fact]
    public void SingleFile_HasTheOriginalNames()
    {
        foreach (var (family, more) in new[] { ("sd1", "zero_convs.11.0.weight"), ("sdxl", "label_emb.0.2.bias") })
        {
            using var unet = new UNet2DConditionModel(s_families[family]);
            using var network = Trained(unet);
            var path = _folder.File(family + ".safetensors");
            ControlNetSaver.Save(network, path);
            using var file = SafetensorsFile.Open(path);
            Assert.All(file.Tensors, tensor => Assert.StartsWith("control_model.", tensor.Name));
            Assert.Equal(ModuleTensors.Named(network).Count, file.Tensors.Count);
            foreach (var name in new[]
            {
                "time_embed.0.weight", "input_blocks.0.0.weight", "input_blocks.1.0.in_layers.0.weight", "middle_block.1.proj_in.weight",
                "input_hint_block.0.weight", "input_hint_block.12.bias", "input_hint_block.14.weight", "zero_convs.0.0.weight",
                "middle_block_out.0.bias", more,
            })
                Assert.True(file.TryGet("control_model." + name, out _), name);
        }
    }

    [Fact]
    public void Config_IsWhatDiffusersWrites()
    {
        var path = Fixtures.Path("training", "controlnet", "config.json");
        var options = ControlNetConfig.Read(path);
        Assert.Equal(UNetOptions.Tiny.BlockOutChannels, options.UNet.BlockOutChannels);
        var (expected, written) = (JsonNode.Parse(File.ReadAllText(path))!.AsObject(),
            JsonNode.Parse(ControlNetConfig.Write(options))!.AsObject());
        foreach (var (key, value) in expected)
        {
            Assert.True(written.ContainsKey(key), key);
            Assert.True(JsonNode.DeepEquals(value, written[key]), $"{key}: {written[key]?.ToJsonString()}");
        }

        Assert.Equal("ControlNetModel", (string?)written["_class_name"]);
    }

    [Fact]
    public void DifferenceFile_IsAddedToTheUNet()
    {
        using var scope = NewDisposeScope();
        using var unet = new UNet2DConditionModel(UNetOptions.Tiny);
        using var network = Trained(unet);
        var own = ModuleTensors.Named(unet);
        var differences = ModuleTensors.Named(network).Select(entry =>
            (entry.Key, own.TryGetValue(entry.Key, out var of) ? entry.Value - of : entry.Value.detach())).ToList();
        var path = _folder.File("difference.safetensors");
        var none = new TensorPayload("difference", TensorDType.F32, [], stream => stream.Write(new byte[4]));
        SafetensorsWriter.Write(path, [.. KeyMap.ControlNet(network.Options).ToCheckpoint(StatePayloads.Of(differences)), none]);
        using var loaded = ControlNetLoader.Load(path, new ControlNetLoadOptions { UNet = unet });
        AssertSame(network, loaded, 1e-6);
        Assert.Contains("as differences from a UNet's weights", ModelInspector.Inspect(path).Summary);
    }

    [Fact]
    public void DifferenceFile_WithoutUNet_AsksForIt()
    {
        using var unet = new UNet2DConditionModel(UNetOptions.Tiny);
        using var network = Trained(unet);
        ControlNetSaver.Save(network, _folder.File("net"));
        var path = _folder.File("net", "diffusion_pytorch_model.safetensors");
        var none = new TensorPayload("difference", TensorDType.F32, [], stream => stream.Write(new byte[4]));
        SafetensorsWriter.Write(path, [.. StatePayloads.Of(Named(network)), none]);
        var error = Assert.Throws<InvalidFileException>(() => ControlNetLoader.Load(_folder.File("net")));
        Assert.Contains("ControlNetLoadOptions.UNet", error.Message);
    }

    [Theory]
    [InlineData("1.x", "sd15")]
    [InlineData("2.x", "sd21")]
    [InlineData("XL", "sdxl")]
    public void SingleFile_OfAPublishedModel_TellsItsUNet(string name, string model)
    {
        var unet = model switch { "sd15" => UNetOptions.Sd15, "sd21" => UNetOptions.Sd21, _ => UNetOptions.Sdxl };
        foreach (var given in new[] { null, unet })
        {
            var file = Published(ControlNetModelOptions.For(unet));
            using var source = ControlNetSource.Of(file.Path, file, isFolder: false, given);
            source.CheckHeader();
            Assert.Equal(unet.AttentionHeads, source.Options.UNet.AttentionHeads);
            Assert.Equal([16, 32, 96, 256], source.Options.ConditioningEmbeddingChannels);
            Assert.StartsWith($"ControlNet for Stable Diffusion {name}",
                ControlNetFacts.Describe(file.Path, WeightContents.Of(file)).Summary, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void WholeCheckpoint_WithAControlNetInIt_GivesTheControlNet()
    {
        using var unet = new UNet2DConditionModel(UNetOptions.Tiny);
        using var network = Trained(unet);
        var payloads = KeyMap.ControlNet(network.Options).ToCheckpoint(StatePayloads.Of(Named(network)))
            .Concat(KeyMap.UNet(unet.Options).ToCheckpoint(StatePayloads.Of(Named(unet)))).ToList();
        SafetensorsWriter.Write(_folder.File("whole.safetensors"), payloads);
        using var loaded = ControlNetLoader.Load(_folder.File("whole.safetensors"), new ControlNetLoadOptions { UNet = unet });
        AssertSame(network, loaded);
    }

    [Fact]
    public void WhatDoesNotFit_IsTold()
    {
        using var unet = new UNet2DConditionModel(UNetOptions.Tiny);
        using var network = Trained(unet);
        var (single, folder) = (_folder.File("one.safetensors"), _folder.File("net"));
        ControlNetSaver.Save(network, single);
        ControlNetSaver.Save(network, folder);
        foreach (var path in new[] { single, folder })
        {
            Assert.Contains("it is for a text context 48 wide, the model's is 32 wide", Told(path, s_families["sd2"]));
            // A folder says its levels; of a single file the shapes do.
            Assert.Contains(path == folder ? "32, 32, 32, 64 channels" : "of another shape",
                Told(path, UNetOptions.Tiny with { BlockOutChannels = [32, 32, 32, 32] }));
        }

        Assert.Contains("ControlNetLoadOptions.UNet", Told(single));
        var model = FixtureModels.TinySd15(_folder);
        Assert.Contains("it is the folder of a whole model", Told(model));
        Assert.Contains("it is a UNet alone", Told(Path.Combine(model, "unet")));
        Assert.Contains("it is a UNet alone", Told(Path.Combine(model, "unet", "diffusion_pytorch_model.safetensors"), unet.Options));
        Assert.Contains("it is a whole model", Told(FixtureModels.SingleFile("tiny-sd15")));
        Assert.Contains("does not exist", Told(_folder.File("nothing.safetensors")));
        StateDictWriter.Save(_folder.File("lllite.safetensors"), [("lllite_unet_input_blocks_1_1.down.0.weight", zeros(2, 2))]);
        Assert.Contains("it is an adapter", Told(_folder.File("lllite.safetensors")));

        File.WriteAllBytes(_folder.File("cut.safetensors"), File.ReadAllBytes(single)[..^1000]);
        Assert.Contains("cut.safetensors", Told(_folder.File("cut.safetensors"), unet.Options));
        File.Delete(Path.Combine(folder, "config.json"));
        Assert.Contains("config.json", Told(folder));
    }

    [Fact]
    public void MissingAndForeignTensors_AreNamed()
    {
        using var unet = new UNet2DConditionModel(UNetOptions.Tiny);
        using var network = Trained(unet);
        ControlNetSaver.Save(network, _folder.File("one.safetensors"));
        using var whole = SafetensorsFile.Open(_folder.File("one.safetensors"));
        var payloads = FixtureModels.Payloads(whole).ToList();
        SafetensorsWriter.Write(_folder.File("less.safetensors"),
            payloads.Where(payload => payload.Name != "control_model.zero_convs.3.0.bias"));
        Assert.Contains("controlnet_down_blocks.3.bias", Told(_folder.File("less.safetensors"), unet.Options));
        Assert.Throws<WeightsDoNotFitException>(() =>
            ControlNetLoader.Load(_folder.File("less.safetensors"), new ControlNetLoadOptions { UNet = unet }));
        var more = new TensorPayload("control_model.zero_convs.12.0.bias", TensorDType.F32, [1], stream => stream.Write(new byte[4]));
        SafetensorsWriter.Write(_folder.File("more.safetensors"), [.. payloads, more]);
        Assert.Contains("zero_convs.12.0.bias", Told(_folder.File("more.safetensors"), unet.Options));
    }

    [Fact]
    public void Load_NumbersThatAreNone_AreNamed_UnlessNobodyLooks()
    {
        using var unet = new UNet2DConditionModel(UNetOptions.Tiny);
        using var network = Trained(unet);
        using (no_grad()) ModuleTensors.Named(network)["controlnet_down_blocks.3.bias"][1] = float.NaN;
        ControlNetSaver.Save(network, _folder.File("one.safetensors"));
        var options = new ControlNetLoadOptions { UNet = unet };
        var fault = Assert.Throws<InvalidFileException>(() => ControlNetLoader.Load(_folder.File("one.safetensors"), options));
        Assert.Contains(_folder.File("one.safetensors"), fault.Message, StringComparison.Ordinal);
        Assert.Contains("'control_model.zero_convs.3.0.bias' is broken: 1 of 32 numbers is NaN", fault.Message, StringComparison.Ordinal);
        using var loaded = ControlNetLoader.Load(_folder.File("one.safetensors"), options with { CheckNumbers = false });
        Assert.True(ModuleTensors.Named(loaded)["controlnet_down_blocks.3.bias"].isnan().any().item<bool>());

        // The file is right, the type that is asked for is not.
        using (no_grad()) ModuleTensors.Named(network)["controlnet_down_blocks.3.bias"][1] = 1e5f;
        ControlNetSaver.Save(network, _folder.File("large.safetensors"));
        fault = Assert.Throws<InvalidFileException>(() =>
            ControlNetLoader.Load(_folder.File("large.safetensors"), options with { WeightType = ScalarType.Float16 }));
        Assert.Contains("does not fit into Float16", fault.Message, StringComparison.Ordinal);
        Assert.Contains("ControlNetLoadOptions.WeightType", fault.Message, StringComparison.Ordinal);
        ControlNetLoader.Load(_folder.File("large.safetensors"), options).Dispose();
    }

    [Fact]
    public void Save_OverwritesNothingUnasked()
    {
        using var unet = new UNet2DConditionModel(UNetOptions.Tiny);
        using var network = Trained(unet);
        foreach (var path in new[] { _folder.File("net"), _folder.File("net.safetensors") })
        {
            ControlNetSaver.Save(network, path);
            Assert.Throws<InvalidOptionsException>(() => ControlNetSaver.Save(network, path));
            ControlNetSaver.Save(network, path, overwrite: true);
        }

        File.WriteAllText(Path.Combine(_folder.Folder("other"), "letter.txt"), "dear");
        Assert.Contains("something else", Assert.Throws<InvalidOptionsException>(() =>
            ControlNetSaver.Save(network, _folder.File("other"), overwrite: true)).Message);
    }

    [Fact]
    public void Inspect_APfgNetwork_IsNamed()
    {
        using var scope = NewDisposeScope();
        StateDictWriter.Save(_folder.File("pfg.safetensors"), [("weight", zeros(480, 24)), ("bias", zeros(480))]);
        var found = ModelInspector.Inspect(_folder.File("pfg.safetensors"));
        Assert.Equal((ContentKind.PromptFree, "PFG network: 24 features of a picture to 480 numbers of text tokens"),
            (found.Kind, found.Summary));
    }

    private static string Told(string path, UNetOptions? unet = null) =>
        Assert.Single(ControlNetLoader.Check(path, unet, "ControlNetOptions.InitialWeights")).ToString();

    /// <summary>A ControlNet that has learned something.</summary>
    private ControlNetModel Trained(UNet2DConditionModel unet, bool global = false)
    {
        var network = ControlNetModel.FromUNet(
            unet, _random, ControlNetModelOptions.For(unet.Options) with { GlobalPoolConditions = global });
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        foreach (var parameter in network.parameters()) parameter.add_(randn(parameter.shape, generator: _random) * 0.01);
        return network;
    }

    private static IEnumerable<(string, Tensor)> Named(nn.Module module) =>
        ModuleTensors.Named(module).Select(entry => (entry.Key, entry.Value));

    private static void AssertSame(ControlNetModel expected, ControlNetModel actual, double tolerance = 0)
    {
        var (first, second) = (ModuleTensors.Named(expected), ModuleTensors.Named(actual));
        Assert.Equal(first.Keys, second.Keys);
        foreach (var (name, tensor) in first) GoldenComparison.AssertClose(name, tensor, second[name], tolerance);
    }

    /// <summary>A file of the names and shapes of a large model, without its numbers.</summary>
    private static MemoryTensorFile Published(ControlNetModelOptions options)
    {
        using var scope = NewDisposeScope();
        using var skip = LayerInitialization.Skip(META);
        using var network = new ControlNetModel(options);
        var (names, file) = (KeyMap.ControlNet(options), new MemoryTensorFile());
        foreach (var (name, tensor) in ModuleTensors.Named(network)) file.Add(names.ToFile(name)!.Value.Name, tensor.shape);
        return file;
    }
}
