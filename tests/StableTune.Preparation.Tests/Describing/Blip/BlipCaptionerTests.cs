using System.Text.Json;
using StableTune.Imaging;
using StableTune.Models;
using StableTune.Testing;

namespace StableTune.Preparation.Tests.Preparation.Describing.Blip;

/// <summary>Captions of images by the tiny model of the fixtures, in both layouts of its files, beside the references'.</summary>
public sealed class BlipCaptionerTests : IDisposable
{
    private static readonly string[] s_images = ["a.png", "b.png", "c.png", "d.png"];

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Pixels_AreTheReferences()
    {
        using var scope = NewDisposeScope();
        using var golden = Golden.Open("blip", "original.safetensors");
        using var captioner = TinyBlip.Original();
        PixelImage[] prepared = [.. s_images.Select(image => captioner.Prepare(TinyBlip.Image(image)))];
        using var resized = stack([.. prepared.Select(image => tensor(image.Pixels, [32, 32, 3]))]);
        golden.AssertClose("resized", resized, 1);
        Assert.InRange((resized.to(ScalarType.Float32) - golden["resized"].to(ScalarType.Float32)).abs().mean().item<float>(), 0, 0.05);
        // From the stored pictures, so that the resize is checked on its own.
        PixelImage[] stored = [.. Enumerable.Range(0, 4).Select(i => new PixelImage(32, 32, 3, [.. golden["resized"][i].bytes]))];
        golden.AssertClose("pixel_values", captioner.Pixels(stored), 1e-6);
        using var hub = Golden.Open("blip", "hf.safetensors");
        hub.AssertClose("pixel_values.pil", captioner.Pixels(stored), 1e-6);
    }

    [Fact]
    public void Captions_OfTheOriginalFile_AreTheReferences()
    {
        var facts = TinyBlip.Read("original.json");
        foreach (var options in facts.GetProperty("cases").EnumerateObject())
        {
            using var captioner = TinyBlip.Original(TinyBlip.Decoding(options.Value));
            Assert.Equal(Captions(facts.GetProperty("captions"), options.Name, prompt: null), Caption(captioner));
        }
    }

    [Fact]
    public void Captions_AfterOtherPrompts_AreTheReferences()
    {
        var facts = TinyBlip.Read("original.json");
        foreach (var group in facts.GetProperty("other_prompts").EnumerateArray().GroupBy(entry => (Case: entry.GetProperty("case")
            .GetString()!, Prompt: entry.GetProperty("prompt").GetString()!)))
        {
            var options = facts.GetProperty("cases").GetProperty(group.Key.Case);
            using var captioner = TinyBlip.Original(TinyBlip.Decoding(options), group.Key.Prompt);
            foreach (var entry in group)
                Assert.Equal(entry.GetProperty("caption").GetString(),
                    captioner.Caption([TinyBlip.Image(entry.GetProperty("image").GetString()!)], CancellationToken.None).Single());
        }
    }

    [Fact]
    public void Captions_OfTheHubsFolder_AreTheReferences_AndItsScores()
    {
        var facts = TinyBlip.Read("hf.json");
        using var golden = Golden.Open("blip", "hf.safetensors");
        foreach (var options in facts.GetProperty("cases").EnumerateObject())
            foreach (var prompt in new[] { null, "a picture of" })
            {
                using var scope = NewDisposeScope();
                using var captioner = BlipCaptioner.Load(Fixtures.Path("blip", "hf"), new()
                {
                    Decoding = TinyBlip.Decoding(options.Value), Prompt = prompt ?? "", KeepPrompt = true,
                });
                Assert.Equal(1e-5, captioner.Model.Options.Vision.LayerNormEps);                 // what config.json says
                var seen = captioner.Model.call(golden["pixel_values.pil"]);
                golden.AssertClose("image_embeds", seen, 1e-5, relativeToMax: true);
                golden.AssertClose("logits", captioner.Model.Logits(seen, golden["input_ids"], golden["attention_mask"]), 1e-5,
                    relativeToMax: true);
                Assert.Equal(Captions(facts.GetProperty("captions"), options.Name, prompt ?? ""), Caption(captioner));
            }
    }

    [Fact]
    public void Script_OnAFolder_WritesTheReferencesFiles_AndNamesTheBadImage()
    {
        foreach (var run in TinyBlip.Read("original.json").GetProperty("script").EnumerateArray())
        {
            var words = run.GetProperty("options").EnumerateArray().Select(word => word.GetString()!).ToList();
            string? Value(string option) => words.IndexOf(option) is >= 0 and var at ? words[at + 1] : null;
            var folder = _folder.Folder(Guid.NewGuid().ToString("N"));
            foreach (var image in s_images.Append("bad.png"))
                File.Copy(Fixtures.Path("blip", "images", image), Path.Combine(folder, image));
            using var captioner = TinyBlip.Original(new BeamSearch
            {
                Beams = int.Parse(Value("--num_beams") ?? "1"), MaxLength = int.Parse(Value("--max_length") ?? "75"),
                MinLength = int.Parse(Value("--min_length") ?? "5"),
            });
            var report = ImageCaptioning.Run(new CaptioningOptions
            {
                ImageFolder = folder, BatchSize = int.Parse(Value("--batch_size") ?? "1"),
                Extension = Value("--caption_extension") ?? Value("--caption_extention"),
            }, captioner);
            Assert.Equal(4, report.Done);
            Assert.Equal("bad.png", Path.GetFileName(Assert.Single(report.Skipped).Path));
            var expected = run.GetProperty("files").EnumerateObject().ToDictionary(file => file.Name, file => file.Value.GetString());
            Assert.Equal(expected, Directory.EnumerateFiles(folder).Where(path => Path.GetExtension(path) != ".png")
                .ToDictionary(path => Path.GetFileName(path), path => (string?)File.ReadAllText(path)));
        }
    }

    [Fact]
    public void Captions_ThatAreEmpty_LeaveTheirImagesOut()
    {
        var folder = _folder.Folder("empty");
        foreach (var image in s_images) File.Copy(Fixtures.Path("blip", "images", image), Path.Combine(folder, image));
        using var captioner = TinyBlip.Original(new BeamSearch { MinLength = 1, MaxLength = 20 });
        var report = ImageCaptioning.Run(new CaptioningOptions { ImageFolder = folder, BatchSize = 4 }, captioner);
        Assert.Equal("nothing was said about it", Assert.Single(report.Skipped).Reason);
        Assert.Equal("d.png", Path.GetFileName(report.Skipped[0].Path));
    }

    [Fact]
    public void Captions_ByChance_DependOnSeedAndImageAlone()
    {
        PixelImage[] images = [.. s_images.Select(TinyBlip.Image)];
        IReadOnlyList<string> Sampled(long? seed, params PixelImage[] some)
        {
            using var captioner = TinyBlip.Original(new NucleusSampling { MaxLength = 20 }, seed: seed);
            return captioner.Caption(some, CancellationToken.None);
        }

        var together = Sampled(42, images);
        Assert.Equal(together.Reverse(), Sampled(42, [.. images.Reverse()]));
        Assert.Equal(together[1], Sampled(42, images[1]).Single());
        Assert.NotEqual(together, Sampled(43, images));
        Assert.NotEqual(Sampled(null, images), Sampled(null, images));
    }

    private static IReadOnlyList<string> Caption(BlipCaptioner captioner) =>
        captioner.Caption([.. s_images.Select(TinyBlip.Image)], CancellationToken.None);

    private static List<string> Captions(JsonElement list, string name, string? prompt)
    {
        List<string> captions = [.. list.EnumerateArray().Where(entry => entry.GetProperty("case").GetString() == name
            && (prompt is null || (entry.GetProperty("prompt").GetString() ?? "") == prompt))
            .Select(entry => entry.GetProperty("caption").GetString()!)];
        Assert.Equal(s_images.Length, captions.Count);
        return captions;
    }
}
