using System.Collections.Concurrent;
using StableTune.Checkpoints;
using StableTune.Formats;
using StableTune.Hub;
using StableTune.Models;

namespace StableTune.Testing;

/// <summary>The tiny models of the fixtures as complete model folders.</summary>
public static class FixtureModels
{
    /// <summary>Merges of the tiny models' tokenizers, which have 1000 tokens.</summary>
    public const int TinyMergeCount = 486;

    private const string Text = "model.safetensors", Diffusion = "diffusion_pytorch_model.safetensors";

    private static readonly ConcurrentDictionary<string, Lazy<string>> SingleFiles = new(StringComparer.Ordinal);

    private static readonly Lazy<TemporaryFolder> Folder = new(() =>
    {
        var folder = new TemporaryFolder();
        AppDomain.CurrentDomain.ProcessExit += (_, _) => folder.Dispose();
        return folder;
    });

    private static readonly Lazy<string> ShallowUNetFolder = new(() =>
    {
        using var model = ModelFactory.Create(NewModelOptions.Tiny with { UNet = ShallowUNetOptions });
        // As the fixtures' is stored.
        ModelSaver.Save(model, Folder.Value.File("shallow-unet"), new ModelSaveOptions { Precision = ScalarType.Float16 });
        return Folder.Value.File("shallow-unet", "unet");
    });

    // The tiny models are built as the published ones; only their text encoders have other numbers of layers.
    private static readonly Dictionary<string, (string Part, string File, KeyMap Layout)[]> SingleFileParts = new(StringComparer.Ordinal)
    {
        ["tiny-sd15"] =
        [
            ("unet", Diffusion, KeyMap.UNet(UNetOptions.Sd15)), ("vae", Diffusion, KeyMap.Vae(VaeOptions.Sd15)),
            ("text_encoder", Text, KeyMap.ClipText(ClipTextOptions.Tiny)),
        ],
        ["tiny-sd21-v"] =
        [
            ("unet", Diffusion, KeyMap.UNet(UNetOptions.Sd21)), ("vae", Diffusion, KeyMap.Vae(VaeOptions.Sd15)),
            ("text_encoder", Text, KeyMap.OpenClipText(ClipTextOptions.Sd21 with { HiddenSize = 32 })),
        ],
        ["tiny-sdxl"] =
        [
            ("unet", Diffusion, KeyMap.UNet(UNetOptions.Sdxl)), ("vae", Diffusion, KeyMap.Vae(VaeOptions.Sdxl)),
            ("text_encoder", Text, KeyMap.ClipText(ClipTextOptions.Sd15, KeyMap.SdxlTextPrefix)),
            ("text_encoder_2", Text, KeyMap.OpenClipText(
                ClipTextOptions.SdxlSecond with { Layers = 6, HiddenSize = 48 }, KeyMap.SdxlText2Prefix)),
        ],
    };

    /// <summary>The UNet of <see cref="ShallowSd15"/>.</summary>
    public static UNetOptions ShallowUNetOptions => UNetOptions.Tiny with
    {
        BlockOutChannels = [32, 64], LayersPerBlock = 1, AttentionHeads = [8, 8], TransformerLayersPerBlock = [1, 1],
        DownBlockTypes = [UNetOptions.CrossAttentionDown, UNetOptions.PlainDown],
        UpBlockTypes = [UNetOptions.PlainUp, UNetOptions.CrossAttentionUp],
    };

    /// <summary>A copy of tiny-sd15 with its tokenizer's vocabulary, which the fixtures leave out. Returns the model folder.</summary>
    public static string TinySd15(TemporaryFolder folder) => Complete(folder, "tiny-sd15", "tiny-sd15");

    /// <summary>
    /// tiny-sd15 with a UNet of two levels and one layer each, of random weights: a step takes a third of the time. For tests that look at
    /// what runs do, not at numbers of the references. Returns the model folder.
    /// </summary>
    public static string ShallowSd15(TemporaryFolder folder)
    {
        var target = Complete(folder, "shallow-sd15", "tiny-sd15");
        foreach (var file in Directory.EnumerateFiles(ShallowUNetFolder.Value))
            File.Copy(file, Path.Combine(target, "unet", Path.GetFileName(file)), overwrite: true);
        return target;
    }

    /// <summary>The same of tiny-sd21-v: SD 2.x with v prediction.</summary>
    public static string TinySd21V(TemporaryFolder folder) => Complete(folder, "tiny-sd21-v", "tiny-sd21-v");

    /// <summary>The same of tiny-sd21-base: the weights of tiny-sd21-v with configurations for epsilon prediction.</summary>
    public static string TinySd21Base(TemporaryFolder folder) => Complete(folder, "tiny-sd21-base", "tiny-sd21-v", "tiny-sd21-base");

    /// <summary>The same of tiny-sdxl, with both tokenizers.</summary>
    public static string TinySdxl(TemporaryFolder folder) => Complete(folder, "tiny-sdxl", "tiny-sdxl");

    /// <summary>
    /// A fixture model as one file under LDM names, as single-files.json describes it (without the noise schedule's buffers), with its
    /// .yaml beside it
    /// if it has one. Written once for all tests of a process: do not change it.
    /// </summary>
    /// <param name="name">"tiny-sd15", "tiny-sd21-v" or "tiny-sdxl".</param>
    public static string SingleFile(string name) =>
        SingleFiles.GetOrAdd(name, static key => new Lazy<string>(() => WriteSingleFile(key))).Value;

    private static string WriteSingleFile(string name)
    {
        var path = Folder.Value.File($"{name}.safetensors");
        var parts = SingleFileParts[name];
        var files = parts.Select(part => SafetensorsFile.Open(Fixtures.Path("models", name, part.Part, part.File))).ToArray();
        try
        {
            SafetensorsWriter.Write(path, parts.Zip(files).SelectMany(part => part.First.Layout.ToCheckpoint(Payloads(part.Second))),
                new Dictionary<string, string> { ["format"] = "pt" });
        }
        finally
        {
            foreach (var file in files) file.Dispose();
        }

        var yaml = Path.Combine(Fixtures.Root, "models", $"{name}.yaml");
        if (File.Exists(yaml)) File.Copy(yaml, Path.ChangeExtension(path, ".yaml"));
        return path;
    }

    /// <summary>A file's tensors, as they are.</summary>
    public static IEnumerable<TensorPayload> Payloads(ITensorFile file) =>
        file.Tensors.Select(info => new TensorPayload(info.Name, info.DType, info.Shape, stream =>
    {
        var bytes = new byte[info.ByteCount];
        file.Read(info, bytes);
        stream.Write(bytes);
    }));

    // The files of the layers lie on top of each other, the last one uppermost.
    private static string Complete(TemporaryFolder folder, string name, params string[] layers)
    {
        var target = folder.Folder(name);
        foreach (var source in layers.Select(layer => Fixtures.Path("models", layer)))
        {
            foreach (var file in Directory.EnumerateFiles(source, "*", SearchOption.AllDirectories))
            {
                var copy = Path.Combine(target, Path.GetRelativePath(source, file));
                Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
                File.Copy(file, copy, overwrite: true);
            }
        }

        foreach (var tokenizer in Directory.EnumerateDirectories(target, "tokenizer*"))
            ClipVocabulary.WriteFiles(tokenizer, TinyMergeCount);
        return target;
    }
}
