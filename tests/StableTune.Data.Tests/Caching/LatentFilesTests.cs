using System.Buffers.Binary;
using System.Text;
using System.Text.Json.Nodes;
using StableTune.Formats;
using StableTune.Testing;

namespace StableTune.Data.Tests;

/// <summary>Latents in files: written, found again, noticed when they no longer fit.</summary>
public sealed class LatentFilesTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly TemporaryFolder _own = new();
    private readonly long _liveBefore = TensorCount.Live;

    public LatentFilesTests()
    {
        for (var i = 0; i < 4; i++) Pictures.Write(_folder.File($"{i}.png"), 40, 32, seed: 11 * i);
    }

    public void Dispose()
    {
        _folder.Dispose();
        _own.Dispose();
        Assert.Equal(_liveBefore, TensorCount.Live);
    }

    public static TheoryData<bool> Places => new() { false, true };

    [Fact]
    public void Written_BesideTheImages_AsSdScriptsDoes()
    {
        var dataset = Dataset(flip: true, mask: true);
        using var cache = LatentCache.Build(dataset, new SquareVae(), new NamedSeeds(3), Beside);
        using var file = NpzFile.Open(_folder.File("2_0040x0032_sd.npz"));
        // What sd-scripts writes, then our own notes.
        Assert.Equal(["latents", "original_size", "crop_ltrb", "latents_flipped", "alpha_mask"], file.Tensors.Take(5)
            .Select(array => array.Name));
        Assert.Equal(["image_hash", "vae_hash", "preparation", "image_stamp", "record", "record_flipped"], file.Tensors.Skip(5)
            .Select(array => array.Name));
        Assert.Equal("latents: F32 [4, 2, 4]", file.ReadArray("latents").ToString());
        Assert.Equal([40, 32], file.ReadArray("original_size").As<long>().ToArray());
        Assert.Equal([6.0, 0, 26, 16], file.ReadArray("crop_ltrb").As<double>().ToArray());
        Assert.Equal("alpha_mask: F32 [16, 32]", file.ReadArray("alpha_mask").ToString());
        Assert.All(file.ReadArray("alpha_mask").As<float>().ToArray(), share => Assert.Equal(1, share));
        Assert.Equal(4, Directory.GetFiles(_folder.Path, "*.npz").Length);
        Assert.Empty(Directory.GetFiles(_folder.Path, ".*"));
        using var memory = LatentCache.Build(dataset, new SquareVae(), new NamedSeeds(3));
        Assert.Equal(Values(memory), Values(cache));
        Assert.True(memory.Bytes > 0);
        Assert.Equal(0, cache.Bytes);
    }

    [Theory]
    [MemberData(nameof(Places))]
    public void SecondRun_NeedsNoEncoder_AndHasTheSameLatents(bool own)
    {
        float[] first;
        using (var cache = LatentCache.Build(Dataset(flip: true, mask: true), new SquareVae(), new NamedSeeds(3), Options(own)))
            first = Values(cache);
        using var again = LatentCache.Open(Dataset(flip: true, mask: true), new SquareVae().Identity, Options(own));
        Assert.Empty(again.Missing);
        Assert.Equal((4, 0, 0, 0), (again.Report.Found, again.Report.Missing, again.Report.Stale, again.Report.Notes.Count));
        Assert.Equal(first, Values(again));
        using var strict = LatentCache.Open(Dataset(flip: true, mask: true), new SquareVae().Identity,
            Options(own) with { Validation = CacheValidation.Content });
        Assert.Empty(strict.Missing);
        using var trusting = LatentCache.Open(Dataset(flip: true, mask: true), new SquareVae().Identity,
            Options(own) with { SkipCheck = true });
        Assert.Equal(first, Values(trusting));
    }

    [Theory]
    [InlineData(false, "image", "the image has changed")]
    [InlineData(true, "image", "the image has changed")]
    [InlineData(false, "vae", "another VAE made it")]
    [InlineData(true, "vae", "another VAE made it")]
    [InlineData(false, "size", "it holds latents of [4, 2, 4], and [4, 4, 4] is wanted")]
    [InlineData(false, "flip", "it lacks the mirrored latents")]
    [InlineData(false, "mask", "it lacks the mask")]
    public void WhatNoLongerFits_IsMadeAgain(bool own, string change, string reason)
    {
        using (LatentCache.Build(Dataset(), new SquareVae(), new NamedSeeds(3), Options(own))) { }
        var vae = new SquareVae { Identity = new(0.5) { Hash = SquareVae.HashOf(change == "vae" ? "other" : "vae") } };
        if (change == "image")
        {
            Pictures.Write(_folder.File("1.png"), 40, 32, seed: 99);
            File.SetLastWriteTimeUtc(_folder.File("1.png"), DateTime.UtcNow.AddMinutes(1));
        }

        var dataset = change == "size" ? Builder(false, false).WithResolution(32, 32).Build() : Dataset(change == "flip", change == "mask");
        using var cache = LatentCache.Open(dataset, vae.Identity, Options(own));
        var stale = change == "image" ? 1 : 4;
        Assert.Equal((4 - stale, stale, stale, 0), (cache.Report.Found, cache.Report.Missing, cache.Report.Stale, cache.Report.Damaged));
        Assert.Contains(reason, Assert.Single(cache.Report.Notes));
        cache.Fill(vae, new NamedSeeds(3));
        Assert.Equal(stale, vae.Images / (change == "flip" ? 2 : 1));
        using var again = LatentCache.Open(dataset, vae.Identity, Options(own));
        Assert.Empty(again.Missing);
        using var fresh = LatentCache.Build(dataset, vae, new NamedSeeds(3));
        Assert.Equal(Values(fresh), Values(again));
    }

    [Theory]
    [MemberData(nameof(Places))]
    public void DamagedFiles_AreMadeAgain_WithAWarning(bool own)
    {
        var dataset = Dataset();
        float[] good;
        using (var cache = LatentCache.Build(dataset, new SquareVae(), new NamedSeeds(3), Options(own))) good = Values(cache);
        var path = own ? Directory.GetFiles(_own.Path, "*.safetensors", SearchOption.AllDirectories)[0]
            : _folder.File("0_0040x0032_sd.npz");
        var bytes = File.ReadAllBytes(path);
        var random = new RandomStream(5);
        var damages = new List<byte[]> { Array.Empty<byte>(), "hello"u8.ToArray(), bytes[..30], bytes[..(bytes.Length / 2)], bytes[..^1] };
        for (var i = 0; i < 40; i++)
        {
            var hostile = bytes.ToArray();
            hostile[random.Next(hostile.Length)] ^= (byte)(1 + random.Next(255));
            damages.Add(hostile);
        }

        foreach (var damage in damages)
        {
            File.WriteAllBytes(path, damage);
            using var cache = LatentCache.Open(dataset, new SquareVae().Identity, Options(own));
            if (cache.Missing.Count == 0)
            {
                Assert.Equal(good, Values(cache));           // the damage lies where nothing is: a date, a comment
                continue;
            }

            Assert.Single(cache.Missing);
            Assert.Equal(1, cache.Report.Stale + cache.Report.Damaged);
            Assert.Contains(path, Assert.Single(cache.Report.Notes));
            var vae = new SquareVae();
            cache.Fill(vae, new NamedSeeds(3));
            Assert.Equal(1, vae.Images);
            Assert.Equal(good, Values(cache));
        }
    }

    [Fact]
    public void DamagedFiles_LargerThanAnArray_AreMadeAgain()
    {
        using (LatentCache.Build(Dataset(), new SquareVae(), new NamedSeeds(3), Options(own: true))) { }
        var path = Directory.GetFiles(_own.Path, "*.safetensors", SearchOption.AllDirectories)[0];
        var bytes = File.ReadAllBytes(path);
        var length = (int)BinaryPrimitives.ReadInt64LittleEndian(bytes);
        const long more = int.MaxValue + 1000L;
        var end = bytes.Length - 8 - length;
        var header = JsonNode.Parse(bytes.AsSpan(8, length))!.AsObject();
        header["more"] = new JsonObject { ["dtype"] = "U8", ["shape"] = new JsonArray(more),
            ["data_offsets"] = new JsonArray(end, end + more) };
        using (var file = File.Create(path))
        {
            var text = Encoding.UTF8.GetBytes(header.ToJsonString());
            file.Write(BitConverter.GetBytes((long)text.Length));
            file.Write(text);
            file.Write(bytes.AsSpan(8 + length));
            file.SetLength(file.Position + more);                                       // a hole, which takes no room
        }

        using var cache = LatentCache.Open(Dataset(), new SquareVae().Identity, Options(own: true));
        Assert.Equal((3, 1), (cache.Report.Found, cache.Report.Damaged));
        var note = Assert.Single(cache.Report.Notes);
        Assert.Contains(path, note);
        Assert.Contains("it holds 2 tensors instead of 1", note);
    }

    [Fact]
    public void LeftoversOfAKilledRun_DoNoHarm()
    {
        File.WriteAllText(_folder.File($".{Guid.NewGuid():N}.tmp"), "half");
        using var stop = new CancellationTokenSource();
        Assert.Throws<OperationCanceledException>(() => LatentCache.Build(Dataset(), new SquareVae(), new NamedSeeds(3), Beside,
            new Progress(report => { if (report is { Stage: "caching latents", Done: 2 }) stop.Cancel(); }), stop.Token));
        Assert.Equal(2, Directory.GetFiles(_folder.Path, "*.npz").Length);
        var vae = new SquareVae();
        using var cache = LatentCache.Build(Dataset(), vae, new NamedSeeds(3), Beside);
        Assert.Equal(2, vae.Images);                                                     // it goes on where it was ended
        using var memory = LatentCache.Build(Dataset(), new SquareVae(), new NamedSeeds(3));
        Assert.Equal(Values(memory), Values(cache));
    }

    [Theory]
    [MemberData(nameof(Places))]
    public void SeveralAtOnce_WriteTheSameFiles(bool own)
    {
        var dataset = Dataset(flip: true);
        using var memory = LatentCache.Build(dataset, new SquareVae(), new NamedSeeds(3));
        var expected = Values(memory);
        var threads = Enumerable.Range(0, 4).Select(_ => Task.Factory.StartNew(() =>
        {
            using var cache = LatentCache.Build(dataset, new SquareVae(), new NamedSeeds(3), Options(own));
            return Values(cache);
        }, TaskCreationOptions.LongRunning)).ToArray();
        Assert.All(threads, thread => Assert.Equal(expected, thread.GetAwaiter().GetResult()));
        using var after = LatentCache.Open(dataset, new SquareVae().Identity, Options(own));
        Assert.Empty(after.Missing);
        Assert.Empty(Directory.GetFiles(_folder.Path, "*.tmp"));
    }

    [Fact]
    public void OtherArrays_AndOtherSizes_AreKept()
    {
        var path = _folder.File("0_0040x0032_sd.npz");
        NpzWriter.Write(path, [NpyArray.Of<float>("latents_9x9", new float[4 * 81], 4, 9, 9).ToPayload(), NpyArray.Of<int>("notes", [7], 1)
            .ToPayload()]);
        using var first = LatentCache.Build(Dataset(), new SquareVae(), new NamedSeeds(3), Beside);
        var large = Builder(false, false).WithResolution(64, 32).Build();
        using var second = LatentCache.Build(large, new SquareVae(), new NamedSeeds(3), Beside);
        using (var file = NpzFile.Open(path))
            Assert.Equal(new[] { "latents", "original_size", "crop_ltrb", "image_hash", "vae_hash", "preparation", "image_stamp", "record" }
                    .SelectMany(name => new[] { name, name + "_4x8" }).Concat(["latents_9x9", "notes"]).Order(StringComparer.Ordinal),
                file.Tensors.Select(array => array.Name).Order(StringComparer.Ordinal));
        foreach (var dataset in new[] { Dataset(), large })
        {
            using var again = LatentCache.Open(dataset, new SquareVae().Identity, Beside);
            using var memory = LatentCache.Build(dataset, new SquareVae(), new NamedSeeds(3));
            Assert.Empty(again.Missing);
            Assert.Equal(Values(memory), Values(again));
        }
    }

    [Fact]
    public void OldFiles_WithTheMirroredLatentsApart_AreRead()
    {
        var values = Enumerable.Range(0, 32).Select(i => (float)i).ToArray();
        for (var i = 0; i < 4; i++)
        {
            NpzWriter.Write(_folder.File($"{i}.npz"), [NpyArray.Of<float>("arr_0", values, 4, 2, 4).ToPayload()]);
            NpzWriter.Write(_folder.File($"{i}_flip.npz"),
                [NpyArray.Of<float>("arr_0", [.. values.Select(value => -value)], 4, 2, 4).ToPayload()]);
        }

        using var cache = LatentCache.Open(Dataset(flip: true), new SquareVae().Identity, Beside);
        Assert.Empty(cache.Missing);
        using var scope = NewDisposeScope();
        var sample = Dataset(flip: true).Samples[1];
        Assert.Equal(values.Select(value => -value * 0.5f),
            cache.Collate([sample], [new(sample.Framing, true)], _ => 0).Latents.flatten().data<float>().ToArray());
        File.Delete(_folder.File("1_flip.npz"));
        using var lacking = LatentCache.Open(Dataset(flip: true), new SquareVae().Identity, Beside);
        Assert.Equal([_folder.File("1.png")], lacking.Missing.Select(missing => missing.Path));
    }

    [Fact]
    public void FilesNamedForSdxl_AreTakenForOtherModels_OnlyWhenAskedFor()
    {
        var sdxl = new SquareVae { Identity = new(0.5) { IsSdxl = true } };
        using (LatentCache.Build(Dataset(), sdxl, new NamedSeeds(3), Beside)) { }
        Assert.True(File.Exists(_folder.File("0_0040x0032_sdxl.npz")));
        using var plain = LatentCache.Open(Dataset(), new(0.5), Beside);
        Assert.Equal(4, plain.Missing.Count);
        using var asked = LatentCache.Open(Dataset(), new(0.5), Beside with { AcceptSdxlNames = true });
        Assert.Empty(asked.Missing);
    }

    [Theory]
    [InlineData(null)]
    [InlineData(false)]
    [InlineData(true)]
    public void MeanAndVariance_GiveANewSampleAtEachUse(bool? toDisk)
    {
        var options = new CacheOptions { Posterior = LatentPosterior.MeanStd, LatentsToDisk = toDisk is not null,
            Directory = toDisk is null ? null : _own.Path, Workers = toDisk == true ? 2 : 0 };
        var dataset = Dataset(flip: true);
        using var cache = LatentCache.Build(dataset, new SquareVae { LogVariance = 0 }, new NamedSeeds(3), options);
        using var loader = new BatchLoader(new() { Workers = options.Workers }, cache);
        var (first, again, second) = (Epoch(1), Epoch(1), Epoch(2));
        Assert.Equal(first, again);
        Assert.NotEqual(first, second);
        using var scope = NewDisposeScope();
        var means = cache.Collate([0, 1, 2, 3]);
        var draws = Enumerable.Range(0, 400)
            .Select(seed => cache.Collate([dataset.Samples[0]], [new(dataset.Samples[0].Framing, false)], _ => seed).Latents[0]).ToArray();
        var all = stack(draws);                                                           // mean 0.5 m, deviation 0.5 each
        Assert.InRange((all.mean([0L]) - means[0]).abs().max().ToSingle(), 0, 0.15f);
        Assert.InRange((all - means[0]).pow(2).mean().sqrt().ToSingle(), 0.48f, 0.52f);

        float[] Epoch(int number)
        {
            var values = new SortedDictionary<int, float[]>();
            foreach (var batch in loader.Load(EpochPlan.Create(dataset, new NamedSeeds(5), number)))
                using (batch)
                    for (var i = 0; i < batch.Count; i++)
                    {
                        using var one = NewDisposeScope();
                        values[batch.Items[i].Index] = batch.Latents![i].flatten().data<float>().ToArray();
                    }

            return [.. values.Values.SelectMany(part => part)];
        }
    }

    [Fact]
    public void OwnFolder_FindsImagesThatMoved()
    {
        using (LatentCache.Build(Dataset(), new SquareVae(), new NamedSeeds(3), Options(true))) { }
        using var elsewhere = new TemporaryFolder();
        for (var i = 0; i < 4; i++) File.Copy(_folder.File($"{i}.png"), elsewhere.File($"renamed {i}.png"));
        using var cache = LatentCache.Open(new DatasetBuilder().AddFolder(elsewhere.Path).WithResolution(32, 16).Build(),
            new SquareVae().Identity, Options(true));
        Assert.Empty(cache.Missing);
        File.WriteAllText(Path.Combine(_own.Path, "latents", "image-hashes.json"), "{ not json");
        using var without = LatentCache.Open(Dataset(), new SquareVae().Identity, Options(true));
        Assert.Empty(without.Missing);
    }

    [Fact]
    public void OptionsThatCannotGoTogether_AreRefused()
    {
        Assert.Equal(["CacheOptions.LatentsToDisk", "CacheOptions.TextEncoderOutputsToDisk", "CacheOptions.Posterior",
            "CacheOptions.SkipCheck"], new CacheOptions
        {
            Latents = false, LatentsToDisk = true, TextEncoderOutputs = false, TextEncoderOutputsToDisk = true,
            Posterior = LatentPosterior.MeanStd, SkipCheck = true, Validation = CacheValidation.Content,
        }.Validate().Select(problem => problem.Option));
        Assert.Equal(["CacheOptions.VaeBatchSize", "CacheOptions.TextEncoderBatchSize", "CacheOptions.Workers", "CacheOptions.Directory"],
            new CacheOptions { VaeBatchSize = 0, TextEncoderBatchSize = 0, Workers = -1, Directory = _folder.File("0.png") }.Validate()
                .Select(problem => problem.Option));
    }

    private static CacheOptions Beside => new() { LatentsToDisk = true, Workers = 0 };

    private CacheOptions Options(bool own) => own ? Beside with { Directory = _own.Path } : Beside;

    private TrainingDataset Dataset(bool flip = false, bool mask = false) => Builder(flip, mask).Build();

    private DatasetBuilder Builder(bool flip, bool mask) => new DatasetBuilder()
        .AddFolder(_folder.Path, new SubsetOptions { Augmentation = new() { Flip = flip }, Mask = mask ? LossMask.Alpha : LossMask.None })
            .WithResolution(32, 16);

    private static float[] Values(LatentCache cache)
    {
        using var latents = cache.Collate([0, 1, 2, 3]);
        return latents.data<float>().ToArray();
    }

    private sealed class Progress(Action<WorkProgress> report) : IProgress<WorkProgress>
    {
        public void Report(WorkProgress value) => report(value);
    }
}
