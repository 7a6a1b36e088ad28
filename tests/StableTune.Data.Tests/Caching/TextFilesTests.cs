using StableTune.Formats;
using StableTune.Testing;

namespace StableTune.Data.Tests;

/// <summary>Text encoder outputs in files: written, found again, noticed when they no longer fit.</summary>
public sealed class TextFilesTests : IDisposable
{
    private static readonly TextIdentity s_sdxl = new() { IsSdxl = true, FirstWidth = 16, Hash = "two encoders" };
    private static readonly TextIdentity s_sd1 = new() { Hash = "one encoder", ClipSkip = 2 };

    private readonly TemporaryFolder _folder = new();
    private readonly TemporaryFolder _own = new();
    private readonly long _liveBefore = Held;

    public TextFilesTests()
    {
        for (var i = 0; i < 3; i++)
        {
            Pictures.Write(_folder.File($"{i}.png"), 16, 16, seed: i);
            File.WriteAllText(_folder.File($"{i}.caption"), i < 2 ? "a frog" : "a toad");
        }
    }

    public void Dispose()
    {
        _folder.Dispose();
        _own.Dispose();
        Assert.Equal(_liveBefore, Held);
    }

    /// <summary>Tensors alive, and those that only a finalizer freed: other tests' may go at any time.</summary>
    private static long Held => TensorCount.Live;

    [Fact]
    public void Written_BesideTheImages_AsSdScriptsDoes()
    {
        using (TextOutputCache.Build(Dataset(), new LetterClip(s_sdxl), Options(false))) { }
        using (var file = NpzFile.Open(_folder.File("2_te_outputs.npz")))
        {
            Assert.Equal(["hidden_state1: F32 [77, 16]", "hidden_state2: F32 [77, 20]", "pool2: F32 [20]"],
                new[] { "hidden_state1", "hidden_state2", "pool2" }.Select(name => file.ReadArray(name).ToString()));
            Assert.Equal(["caption_hash", "text_encoder_hash", "clip_skip", "tokens"], file.Tensors.Skip(3).Select(array => array.Name));
        }

        Assert.Equal(3, Directory.GetFiles(_folder.Path, "*_te_outputs.npz").Length);
        using (TextOutputCache.Build(Dataset(), new LetterClip(s_sd1), Options(false))) { }
        using var single = NpzFile.Open(_folder.File("2_te_outputs.npz"));
        Assert.Equal(["hidden_state1", "caption_hash", "text_encoder_hash", "clip_skip", "tokens"],
            single.Tensors.Select(array => array.Name));
        Assert.Equal(2, single.ReadArray("clip_skip").As<long>()[0]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void SecondRun_NeedsNoEncoder_UntilSomethingChanges(bool own)
    {
        foreach (var identity in new[] { s_sdxl, s_sd1 })
        {
            var clip = new LetterClip(identity);
            using var memory = TextOutputCache.Build(Dataset(), clip);
            using var first = TextOutputCache.Build(Dataset(), clip, Options(own));
            clip.Seen.Clear();
            using var second = TextOutputCache.Build(Dataset(), clip, Options(own) with { Validation = CacheValidation.Content });
            Assert.Empty(clip.Seen);
            using var scope = NewDisposeScope();
            var (expected, found) = (memory.Collate(["a toad", "a frog", "a toad"]), second.Collate(["a toad", "a frog", "a toad"]));
            Assert.Equal(0, (expected.Context - found.Context).abs().max().ToSingle());
            if (identity.IsSdxl) Assert.Equal(0, (expected.Pooled! - found.Pooled!).abs().max().ToSingle());
            else Assert.Null(found.Pooled);

            foreach (var other in new[] { identity with { Hash = "another" }, identity with { ClipSkip = 3 },
                identity with { Tokens = 152 } })
            {
                using var changed = TextOutputCache.Open(Dataset(), other, Options(own));
                Assert.Equal(["a frog", "a toad"], changed.Missing);
                Assert.Equal(own ? 0 : 2, changed.Report.Stale);                    // in its own folder each has a file of its own
            }
        }

        File.WriteAllText(_folder.File("2.caption"), "a newt");
        using var renamed = TextOutputCache.Open(Dataset(), s_sd1, Options(own));
        Assert.Equal(["a newt"], renamed.Missing);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void DamagedFiles_AreMadeAgain(bool own)
    {
        var clip = new LetterClip(s_sd1);
        using (TextOutputCache.Build(Dataset(), clip, Options(own))) { }
        var files = Directory.GetFiles(own ? _own.Path : _folder.Path, own ? "*.safetensors" : "*_te_outputs.npz",
            SearchOption.AllDirectories);
        foreach (var length in new[] { 0, 9, 200, 4000 })
        {
            foreach (var file in files) File.WriteAllBytes(file, File.ReadAllBytes(file)[..length]);
            clip.Seen.Clear();
            using var cache = TextOutputCache.Build(Dataset(), clip, Options(own));
            Assert.Equal((2, 2), (cache.Report.Damaged, clip.Seen.Count));
            Assert.Contains("cannot be read", Assert.Single(cache.Report.Notes));
        }
    }

    private CacheOptions Options(bool own) => new() { TextEncoderOutputsToDisk = true, Directory = own ? _own.Path : null };

    private TrainingDataset Dataset() => new DatasetBuilder().AddFolder(_folder.Path).WithResolution(16).Build();
}
