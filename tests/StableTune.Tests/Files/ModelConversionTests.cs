using System.Security.Cryptography;
using StableTune.Checkpoints;
using StableTune.Formats;
using StableTune.Models;
using StableTune.Testing;

namespace StableTune.Tests;

/// <summary>From file to file and back: bit for bit, without leaving anything in memory or on the disk.</summary>
public sealed class ModelConversionTests : IDisposable
{
    private readonly ModelForms _forms = new();

    public void Dispose() => _forms.Dispose();

    [Theory]
    [InlineData("tiny-sd15")]
    [InlineData("tiny-sd15-ckpt.ckpt")]
    [InlineData("tiny-sd15-ckpt-legacy-ema.ckpt")]
    [InlineData("tiny-sd21-base")]
    [InlineData("tiny-sd21-v")]
    [InlineData("tiny-sd21-v.safetensors")]
    [InlineData("tiny-sdxl")]
    public void Convert_ThroughEveryFormat_ComesBackBitForBit(string form)
    {
        var held = TinyRun.HeldBefore();
        var (reading, path) = (_forms.Reading(form), _forms.Path(form));
        var first = Weights(path, reading);
        foreach (var format in new[] { ModelFormat.Safetensors, ModelFormat.Diffusers, ModelFormat.Ckpt, ModelFormat.DiffusersSafetensors,
            ModelFormat.Safetensors, ModelFormat.Ckpt })
        {
            var options = new ModelSaveOptions { Format = format,
                MaxShardBytes = format.ToString().StartsWith("Diffusers", StringComparison.Ordinal) ? 100_000 : 1 << 30 };
            path = ModelConverter.Convert(path, _forms.Folder.File($"step-{Guid.NewGuid():N}"), options, reading).Path;
            Assert.Equal(first, Weights(path, reading));
        }

        Assert.Equal(held, TinyRun.HeldTensors);
    }

    [Theory]
    [InlineData("tiny-sd15.safetensors", ModelFormat.Diffusers)]
    [InlineData("tiny-sd15-ckpt.ckpt", ModelFormat.DiffusersSafetensors)]
    [InlineData("tiny-sd21-v.safetensors", ModelFormat.DiffusersSafetensors)]
    [InlineData("tiny-sdxl.safetensors", ModelFormat.Diffusers)]
    public void Convert_SingleFileToAFolderAndBack_GivesTheSameTensors(string form, ModelFormat between)
    {
        var (reading, path) = (_forms.Reading(form), _forms.Path(form));
        var folder = ModelConverter.Convert(path, _forms.Folder.File("between"), new ModelSaveOptions { Format = between }, reading).Path;
        var back = ModelConverter.Convert(folder, _forms.Folder.File("back.safetensors"), reading: reading).Path;
        Assert.Equal(Stored(path), Stored(back)
            .Where(tensor => !tensor.Key.EndsWith("position_ids", StringComparison.Ordinal) || Stored(path).ContainsKey(tensor.Key))
            .ToDictionary(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData(ModelFormat.Safetensors)]
    [InlineData(ModelFormat.Ckpt)]
    [InlineData(ModelFormat.Diffusers)]
    [InlineData(ModelFormat.DiffusersSafetensors)]
    public void Convert_WithTheVaeOfAnotherModelInAnyForm_BakesItIn(ModelFormat format)
    {
        var other = _forms.Save("tiny-sd21-v", format).Path;
        var reading = _forms.Reading("tiny-sd15") with { VaePath = other };
        foreach (var target in Enum.GetValues<ModelFormat>())
        {
            var converted = ModelConverter.Convert(
                _forms.Path("tiny-sd15"), _forms.Folder.File("baked-" + target), new ModelSaveOptions { Format = target }, reading).Path;
            var (own, wanted, found) = (Weights(_forms.Path("tiny-sd15"), _forms.Reading("tiny-sd15")),
                Weights(_forms.Path("tiny-sd21-v"), _forms.Reading("tiny-sd21-v")), Weights(converted, _forms.Reading("tiny-sd15")));
            Assert.Equal(wanted["vae"], found["vae"]);
            Assert.Equal((own["unet"], own["text_encoder"]), (found["unet"], found["text_encoder"]));
            Assert.NotEqual(own["vae"], found["vae"]);
        }
    }

    [Theory]
    [InlineData("tiny-sd15", ModelFormat.Diffusers)]
    [InlineData("tiny-sdxl", ModelFormat.DiffusersSafetensors)]
    public void SaveAs_VariantInShards_LoadsWithAndWithoutAskingForIt(string form, ModelFormat format)
    {
        using var model = ModelLoader.Load(_forms.Path(form), _forms.Reading(form) with { KeepStoredTypes = true });
        var saved = model.SaveAs(_forms.Folder.File("variant"),
            new ModelSaveOptions { Format = format, Variant = "fp16", MaxShardBytes = 60_000 });
        Assert.Contains(saved.Files, file => file.Contains(".fp16-00002-of-", StringComparison.Ordinal));
        foreach (var variant in new[] { null, "fp16" })
            Assert.Equal(Weights(_forms.Path(form), _forms.Reading(form)),
                Weights(saved.Path, _forms.Reading(form) with { Variant = variant }));
    }

    [Fact]
    public void LoadSaveAndConvert_LeaveNoTensorsBehind()
    {
        var held = TinyRun.HeldBefore();
        foreach (var form in ModelForms.Names)
        {
            using (var model = ModelLoader.Load(_forms.Path(form), _forms.Reading(form)))
            {
                var loaded = TinyRun.HeldBefore();
                foreach (var format in Enum.GetValues<ModelFormat>())
                    model.SaveAs(_forms.Folder.File("held", "model"),
                        new ModelSaveOptions { Format = format, Precision = ScalarType.Float16, Overwrite = true });
                Assert.Equal(loaded, TinyRun.HeldTensors);
            }

            Assert.Equal(held, TinyRun.HeldTensors);
        }
    }

    /// <summary>The hash of each part's weights as they are stored, under the modules' names.</summary>
    private static SortedDictionary<string, string> Weights(string path, ModelLoadOptions reading)
    {
        using var model = ModelLoader.Load(path, reading with { KeepStoredTypes = true });
        var hashes = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, module) in new (string, nn.Module)[] { ("unet", model.UNet), ("vae", model.Vae) }
            .Concat(model.TextEncoders.Select((encoder, index) => (index == 0 ? "text_encoder" : "text_encoder_2", (nn.Module)encoder))))
        {
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            foreach (var (key, tensor) in module.state_dict().OrderBy(entry => entry.Key, StringComparer.Ordinal))
            {
                using var wide = tensor.to(ScalarType.Float64);
                hash.AppendData(System.Text.Encoding.UTF8.GetBytes($"{key} {tensor.dtype} [{string.Join(", ", tensor.shape)}]"));
                hash.AppendData(System.Runtime.InteropServices.MemoryMarshal.AsBytes<double>(wide.data<double>().ToArray()));
            }

            hashes[name] = Convert.ToHexStringLower(hash.GetHashAndReset());
        }

        return hashes;
    }

    /// <summary>What a weights file holds: type, shape and hash of each tensor.</summary>
    private static Dictionary<string, string> Stored(string path)
    {
        using var file = TensorFile.Open(path);
        return file.Tensors.Where(info => !info.Name.StartsWith("model_ema", StringComparison.Ordinal))
            .ToDictionary(info => info.Name, info =>
        {
            var bytes = new byte[info.ByteCount];
            file.Read(info, bytes);
            return $"{info.DType} [{string.Join(", ", info.Shape)}] {Convert.ToHexStringLower(SHA256.HashData(bytes))}";
        });
    }
}
