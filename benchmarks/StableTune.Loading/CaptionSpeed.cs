using System.Diagnostics;
using StableTune.Data;
using StableTune.FullSize;
using StableTune.Imaging;
using StableTune.Models;
using StableTune.Preparation;

namespace StableTune.Loading;

/// <summary>Captions of photographs by a BLIP of full size with random weights, beside what the model alone costs and what reading alone
/// does. All captions have the same length, so that all ways do the same work.</summary>
internal static class CaptionSpeed
{
    private const int Length = 20, Rounds = 3;

    public static void Run(string folder, string size, int batch, int workers)
    {
        var options = size switch { "large" => BlipOptions.Large, "base" => BlipOptions.Base, _ => BlipOptions.Tiny };
        using var kept = HostMemory.Keep(256L << 20);
        var model = new BlipModel(options).SetRequiresGrad(false);
        var files = Directory.EnumerateFiles(folder, "*.jpg").Order(StringComparer.Ordinal).ToArray();
        var work = new CaptioningOptions { ImageFolder = folder, Existing = ExistingText.Overwrite, BatchSize = batch, Workers = workers };
        var language = Language(options.Text.VocabularySize);
        using var captioner = new BlipCaptioner(model, language,
            new() { Decoding = new BeamSearch { MinLength = Length, MaxLength = Length } });
        var pixels = Pixels(options.Vision.ImageSize, batch);
        var request = new TextRequest([language.Start], language.End, [.. Enumerable.Range(0, batch).Select(i => (long)i)]);
        Console.WriteLine($"BLIP {size}, {files.Length} photographs, {Length} tokens each, batches of {batch}, {workers} worker(s), "
            + $"{get_num_threads()} threads of libtorch");
        var (alone, whole) = (double.MaxValue, double.MaxValue);
        for (var round = 0; round < Rounds; round++)
        {
            alone = Math.Min(alone, Seconds(() =>
            {
                for (var at = 0; at < files.Length; at += batch)
                {
                    using var scope = NewDisposeScope();
                    model.Generate(pixels.narrow(0, 0, Math.Min(batch, files.Length - at)), request, captioner.Options.Decoding);
                }
            }));
            whole = Math.Min(whole, Seconds(() => ImageCaptioning.Run(work, captioner)));
        }

        var reading = Seconds(() => ImageCaptioning.Run(work, new Silent(captioner)));
        Say("the model alone", files.Length, alone);
        Say("captioning the folder", files.Length, whole);
        Say("reading, resizing and writing alone", files.Length, reading);
        Console.WriteLine($"captioning takes {whole / alone:F3} of the model's time; peak {ProcessFigures.PeakGiB:F2} GiB");
        foreach (var (name, way) in new (string, TextDecoding)[]
        {
            ("3 beams", new BeamSearch { Beams = 3, MinLength = Length, MaxLength = Length }),
            ("by chance", new NucleusSampling { MinLength = Length, MaxLength = Length }),
        })
            Say($"the model alone, {name}", batch, Enumerable.Range(0, Rounds).Min(_ => Seconds(() =>
                model.Generate(pixels, request, way))));
        pixels.Dispose();
    }

    private static Tensor Pixels(int side, int batch)
    {
        using var scope = NewDisposeScope();
        return randn(batch, 3, side, side).DetachFromDisposeScope();
    }

    /// <summary>Words of no language: what a caption says does not matter.</summary>
    private static BlipLanguage Language(int tokens)
    {
        string[] special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
        var vocabulary = special.Concat(Enumerable.Range(special.Length, tokens - special.Length - 1).Select(i => $"w{i}"))
            .Select((word, id) => KeyValuePair.Create(word, id)).ToDictionary();
        return new(new BertTokenizer(vocabulary), tokens - 1, vocabulary["[SEP]"]);
    }

    private static double Seconds(Action work)
    {
        var start = Stopwatch.GetTimestamp();
        work();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private static void Say(string what, int images, double seconds) =>
        Console.WriteLine($"{what}: {images / seconds:F3} images/s ({1000 * seconds / images:F1} ms each)");

    /// <summary>Prepares images as the model's captioner does, and says something at once.</summary>
    private sealed class Silent(BlipCaptioner captioner) : ICaptioner
    {
        public PixelImage Prepare(PixelImage image) => captioner.Prepare(image);

        public IReadOnlyList<string> Caption(IReadOnlyList<PixelImage> images, CancellationToken cancellationToken) =>
            [.. images.Select(_ => "a photograph")];
    }
}
