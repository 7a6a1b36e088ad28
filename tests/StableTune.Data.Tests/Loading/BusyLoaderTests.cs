using System.Security.Cryptography;
using StableTune.Imaging;
using StableTune.Testing;

namespace StableTune.Data.Tests.Loading;

/// <summary>The loader's threads at work: how far they go ahead, and what becomes of them when something ends early.</summary>
public sealed class BusyLoaderTests : IDisposable
{
    /// <summary>Long enough for any machine; reached only when something hangs.</summary>
    private static readonly TimeSpan s_hang = TimeSpan.FromMinutes(2);

    private readonly TemporaryFolder _folder = new();
    private readonly TemporaryFolder _hints = new();
    private readonly long _heldBefore = Held;

    public void Dispose()
    {
        _folder.Dispose();
        _hints.Dispose();
        Assert.Equal(_heldBefore, Held);
    }

    /// <summary>Tensors alive, and those that only a finalizer freed: other tests' may go at any time.</summary>
    private static long Held => TensorCount.Live;

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 3)]
    [InlineData(8, 4)]
    [InlineData(3, null)]
    public void ASlowConsumer_FindsNoMoreImagesInMemoryThanAllowed(int workers, int? ahead)
    {
        const int batchSize = 2, batches = 20;
        var (begun, gate) = (0, new object());
        var dataset = Dataset(batches * batchSize, batchSize, _ =>
        {
            lock (gate) begun++;
        });
        using var loader = new BatchLoader(new() { Workers = workers, BatchesAhead = ahead });
        var (taken, allowed) = (0, ahead ?? 2 * workers);
        foreach (var batch in loader.Load(EpochPlan.Create(dataset, new NamedSeeds(1), 1)))
            using (batch)
            {
                taken++;
                // The consumer waits until the threads have gone as far as they may: then pixels and weights of so many batches are
                // there, and no more.
                var most = Math.Min(batches, taken + allowed);
                Wait(() => Begun() >= most * batchSize && Held - _heldBefore >= 2 * (1 + most - taken));
                for (var i = 0; i < 100; i++) Thread.Yield();
                Assert.Equal((most * batchSize, 2 * (1 + most - taken)), (Begun(), Held - _heldBefore));
            }

        Assert.Equal((batches, batches * batchSize), (taken, begun));

        int Begun()
        {
            lock (gate) return begun;
        }
    }

    [Fact]
    public void WithoutThreads_NothingIsReadAhead()
    {
        var begun = 0;
        using var loader = new BatchLoader(new() { Workers = 0, BatchesAhead = 5 });
        foreach (var batch in loader.Load(EpochPlan.Create(Dataset(6, 2, _ => begun++), new NamedSeeds(1), 1)))
            using (batch) Assert.Equal(2 * (batch.Index + 1), begun);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(8)]
    public void EverythingInABatch_IsTheSame_WhateverTheNumberOfWorkers(int workers)
    {
        var dataset = Everything();
        foreach (var epoch in new[] { 1, 2 })
        {
            var plan = EpochPlan.Create(dataset, new NamedSeeds(5), epoch);
            var expected = Contents(plan, new() { Workers = 0 });
            Assert.Equal(expected, Contents(plan, new() { Workers = workers }));
            Assert.Equal(expected, Contents(plan, new() { Workers = workers, BatchesAhead = 1 }));
            Assert.Equal(expected.Count, expected.Distinct().Count());
        }
    }

    [Theory]
    [InlineData(2)]
    [InlineData(8)]
    public void OfSeveralBadImages_TheFirstInOrderIsNamed_AtItsPlace(int workers)
    {
        // The later one fails first: the earlier one waits for it.
        using var later = new ManualResetEventSlim();
        var order = Array.Empty<string>();
        var dataset = Dataset(12, 1, name =>
        {
            if (name == order[7]) later.Set();
            if (name == order[4] && !later.Wait(s_hang)) throw new TimeoutException();
            if (name == order[7] || name == order[4]) throw new InvalidOperationException("the database is gone");
        });
        var plan = EpochPlan.Create(dataset, new NamedSeeds(1), 1);
        order = [.. plan.Batches.Select(batch => dataset.Samples[batch.Samples[0]].Path)];
        using var loader = new BatchLoader(new() { Workers = workers, BatchesAhead = 8 });
        var taken = new List<string>();
        var error = Assert.Throws<InvalidFileException>(() =>
        {
            foreach (var batch in loader.Load(plan))
                using (batch) taken.Add(batch.Items[0].Path);
        });
        Assert.Equal(order[..4], taken);
        Assert.Equal(order[4], error.Path);
        Assert.Contains("the database is gone", error.Message, StringComparison.Ordinal);

        // The loader itself is well: another epoch can be begun where the bad images are left out.
        using var rest = loader.Load(plan, firstBatch: 8).First();
        Assert.Equal(order[8], rest.Items[0].Path);
    }

    [Fact]
    public void Cancellation_EndsTheWaitForABusyThread_AndReadsNothingMore()
    {
        using ManualResetEventSlim first = new(), entered = new(), release = new();
        using var cancel = new CancellationTokenSource();
        var (begun, firstPicture) = (0, "");
        var dataset = Dataset(10, 1, name =>
        {
            Interlocked.Increment(ref begun);
            if (name == firstPicture) return;                                // whichever thread reads it, and when
            entered.Set();
            if (!release.Wait(s_hang)) throw new TimeoutException();
        });
        var plan = EpochPlan.Create(dataset, new NamedSeeds(1), 1);
        firstPicture = dataset.Samples[plan.Batches[0].Samples[0]].Path;
        using var loader = new BatchLoader(new() { Workers = 2, BatchesAhead = 4 });
        var cancelling = new Thread(() =>
        {
            first.Wait(s_hang);
            entered.Wait(s_hang);
            cancel.Cancel();
            // a host's picture knows nothing of cancellation: it is waited for
            release.Set();
        });
        cancelling.Start();
        var taken = 0;
        Assert.Throws<OperationCanceledException>(() =>
        {
            foreach (var batch in loader.Load(plan, 0, cancel.Token))
                using (batch)
                {
                    taken++;
                    first.Set();
                }
        });
        Assert.True(cancelling.Join(s_hang));
        Assert.InRange(taken, 1, 2);                                         // the picture that was being read may just have been ready
        Assert.InRange(begun, 2, taken + 4);
    }

    [Fact]
    public void Disposal_WhileTheConsumerWaits_EndsTheWait()
    {
        using ManualResetEventSlim entered = new(), release = new();
        var begun = 0;
        var dataset = Dataset(10, 1, _ =>
        {
            if (Interlocked.Increment(ref begun) == 1) return;
            entered.Set();
            if (!release.Wait(s_hang)) throw new TimeoutException();
        });
        var loader = new BatchLoader(new() { Workers = 1, BatchesAhead = 3 });
        using var epoch = loader.Load(EpochPlan.Create(dataset, new NamedSeeds(1), 1)).GetEnumerator();
        Assert.True(epoch.MoveNext());
        epoch.Current.Dispose();
        Assert.True(entered.Wait(s_hang));
        var disposing = new Thread(loader.Dispose);
        disposing.Start();
        // though the thread is still reading
        Assert.Throws<ObjectDisposedException>(() => { while (epoch.MoveNext()) epoch.Current.Dispose(); });
        release.Set();
        Assert.True(disposing.Join(s_hang));
        Assert.Equal(2, begun);
        Assert.Equal(_heldBefore, Held);
    }

    [Fact]
    public void ManyEpochsLeftHalfWay_LeaveNothingBehind()
    {
        var dataset = Everything();
        using var loader = new BatchLoader(new() { Workers = 4, BatchesAhead = 3 });
        for (var epoch = 1; epoch <= 10; epoch++)
        {
            foreach (var batch in loader.Load(EpochPlan.Create(dataset, new NamedSeeds(5), epoch)).Take(1 + (epoch % 3))) batch.Dispose();
            Assert.Equal(_heldBefore, Held);
        }
    }

    private static void Wait(Func<bool> condition) => Assert.True(SpinWait.SpinUntil(condition, s_hang));

    /// <summary>Pictures of 16 by 16 that tell when they are read.</summary>
    private static TrainingDataset Dataset(int count, int batchSize, Action<string> read) => new DatasetBuilder()
        .AddImages(Enumerable.Range(0, count).Select(i => new DatasetItem(new Told($"picture {i}", read), "a caption")))
            .WithResolution(16).WithBatchSize(batchSize).Build();

    /// <summary>Three data sets of different sizes with every augmentation, second images and masks of both kinds.</summary>
    private TrainingDataset Everything()
    {
        var (frogs, toads, newts) = (_folder.Folder("3_frog"), _folder.Folder("2_toad"), _folder.Folder("1_newt"));
        for (var i = 0; i < 5; i++)
        {
            Pictures.Write(Path.Combine(frogs, $"frog{i}.png"), 40 + i, 32, 11 * i);
            Pictures.Write(_hints.File($"frog{i}.png"), 40 + i, 32, 7 * i);
            Pictures.Write(Path.Combine(toads, $"toad{i}_40_32_20_20.png"), 64, 72, 5 * i);
            var alpha = new PixelImage(48, 48, channels: 4);
            for (var p = 0; p < alpha.Pixels.Length; p++) alpha.Pixels[p] = (byte)((p * (i + 3)) % 251);
            ImageFile.SavePng(Path.Combine(newts, $"newt{i}.png"), alpha);
        }

        var captions = new CaptionOptions { Shuffle = true, TagDropoutRate = 0.2, DropoutRate = 0.1 };
        var changes = new AugmentationOptions { Flip = true, Color = ColorAugmentation.Weak, Brightness = 0.1, Saturation = 0.2,
            RandomCrop = true, CircularMask = (0.5, 1) };
        return new DatasetBuilder().WithResolution(24, 16).WithBatchSize(2)
            .AddFolder(frogs, new SubsetOptions { Captions = captions, Augmentation = changes, ConditioningFolder = _hints.Path })
            .AddDataset(new DatasetBuilder().WithResolution(32).WithBatchSize(3)
                .AddFolder(toads, new SubsetOptions { Captions = captions,
                    Augmentation = changes with { FaceCrop = (1, 3), Rotation = 10 } }))
            .AddDataset(new DatasetBuilder().WithResolution(32).WithBuckets(new() { MinSide = 16, MaxSide = 64, Step = 8 })
                .AddFolder(newts, new SubsetOptions { Mask = LossMask.Alpha, Augmentation = new() { Flip = true } })).Build();
    }

    /// <summary>Everything a batch holds, as text.</summary>
    private static List<string> Contents(EpochPlan plan, BatchLoaderOptions options)
    {
        using var loader = new BatchLoader(options);
        var result = new List<string>();
        foreach (var batch in loader.Load(plan))
            using (batch)
                result.Add(
                    $"{batch.Epoch}/{batch.Index} {batch.Size}: {string.Join(" | ", batch.Captions)} "
                        + $"{string.Join(',', batch.Items.Select(item => item.Index))} "
                    + $"{string.Join(',', batch.Draws)} {string.Join(',', batch.Sizes)} {Hash(batch.Pixels)} {Hash(batch.Masks)} "
                        + $"{Hash(batch.Conditioning)} {Hash(batch.LossWeights)}");
        return result;

        static string Hash(Tensor? values) => values is null ? "none" : Convert.ToHexString(SHA256.HashData(values.bytes));
    }

    private sealed class Told(string name, Action<string> read) : IImageSource
    {
        public string Name => name;

        public PixelSize ReadSize(ImageLoadOptions options) => new(16, 16);

        public PixelImage Load(ImageLoadOptions options)
        {
            read(name);
            return new PixelImage(16, 16);
        }
    }
}
