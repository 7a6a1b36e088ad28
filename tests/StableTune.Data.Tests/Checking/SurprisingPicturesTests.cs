using System.Buffers.Binary;
using System.IO.Compression;
using System.IO.Hashing;
using System.Text;
using StableTune.Imaging;
using StableTune.Testing;

namespace StableTune.Data.Tests.Checking;

/// <summary>Pictures that are trained otherwise than they look, and those of sizes that nobody wants.</summary>
public sealed class SurprisingPicturesTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Check_NamesWhatIsTrainedOtherwiseThanItLooks()
    {
        var noise = new PixelImage(64, 64, 4);
        for (var i = 0; i < noise.Pixels.Length; i++) noise.Pixels[i] = (byte)(i % 4 == 3 ? i < noise.Pixels.Length / 2 ? 0 : 255 : i * 37);
        ImageFile.SavePng(_folder.File("noise.png"), noise);
        Write("gray16.png", Png(64, 64, 16, 0, 2));
        Write("moving.png", Png(64, 64, 8, 2, 3, ("acTL", [0, 0, 0, 2, 0, 0, 0, 0])));
        Write("plain.png", Png(64, 64, 8, 2, 3));
        var builder = Builder(new() { Resolution = new(64, 64) });
        var findings = builder.Build().Check(new() { LargestTransparency = 0 }).Findings;
        Assert.Equal(["Transparent noise.png", "SixteenBit gray16.png", "SeveralPictures moving.png"],
            findings.Where(finding => finding.Kind > FindingKind.Duplicate)
                .Select(finding => $"{finding.Kind} {Path.GetFileName(finding.Path)}"));
        Assert.Contains("50", findings.Single(finding => finding.Kind == FindingKind.Transparent).Message);
        Assert.Contains("upper 8", findings.Single(finding => finding.Kind == FindingKind.SixteenBit).Message);

        // With a background, or the alpha as mask, nothing unseen is trained; clipping is said as what it is.
        var clipped = Builder(new() { Resolution = new(64, 64), Background = PixelColor.White, ClipSixteenBitGray = true }).Build()
            .Check().Findings;
        Assert.DoesNotContain(clipped, finding => finding.Kind == FindingKind.Transparent);
        Assert.Contains("clipped", clipped.Single(finding => finding.Kind == FindingKind.SixteenBit).Message);
        var masked = Builder(new() { Resolution = new(64, 64) }, LossMask.Alpha).Build().Check().Findings;
        Assert.DoesNotContain(masked, finding => finding.Kind == FindingKind.Transparent);
    }

    /// <summary>Grey values of 16 bits that the reference clips to white are a picture here.</summary>
    [Fact]
    public void Batch_OfSixteenBitsAndTransparency_HoldsWhatIsSeen()
    {
        Write("gray16.png", Png(64, 64, 16, 0, 2));
        ImageFile.SavePng(_folder.File("clear.png"), new PixelImage(64, 64, 4));
        Assert.Equal([-1f, 1f], Batch(new() { Resolution = new(64, 64), ClipSixteenBitGray = true }));
        var sane = Batch(new() { Resolution = new(64, 64), Background = PixelColor.White });
        Assert.Equal(1f, sane[0]);
        Assert.InRange(sane[1], -0.9f, 0.9f);
    }

    [Fact]
    public void Check_FindsImagesThatAreFarTooLargeOrSmall()
    {
        Write("large.png", Png(3100, 3000, 1, 0, 0));
        Pictures.Write(_folder.File("small.png"), 24, 24);
        Pictures.Write(_folder.File("good.png"), 64, 64);
        var dataset = new DatasetBuilder().AddFolder(_folder.Path).WithResolution(64).WithBuckets(new() { Step = 8, NoUpscale = true })
            .Build();
        var findings = dataset.Check(new() { ReadPixels = false }).Findings;
        var large = Assert.Single(findings, finding => finding.Kind == FindingKind.TooLarge);
        Assert.EndsWith("large.png", large.Path);
        Assert.Contains("ImageResizing", large.Message);
        var small = Assert.Single(findings, finding => finding.Kind == FindingKind.TooSmall);
        Assert.EndsWith("small.png", small.Path);
        Assert.Contains("MinimumImageArea", small.Message);
    }

    [Fact]
    public void Build_WithAHugePicture_NamesTheOptionOfTheDataSet()
    {
        Write("huge.png", Png(14_000, 13_000, 1, 0, 0));
        Pictures.Write(_folder.File("good.png"), 64, 64);
        var builder = new DatasetBuilder().AddFolder(_folder.Path).WithResolution(64);
        var problem = Assert.Single(Assert.Throws<InvalidOptionsException>(builder.Build).Problems);
        Assert.Equal(_folder.File("huge.png"), problem.Value);
        Assert.Contains("14000x13000, more than 178956970 pixels (DatasetOptions.MaxImagePixels)", problem.ToString());
        Assert.DoesNotContain("ImageLoadOptions", problem.ToString());
        Assert.Contains("huge.png: left out",
            string.Join('\n', builder.WithOptions(new() { Resolution = new(64, 64), OnBadImage = BadImagePolicy.Skip }).Build().Warnings));
        Assert.Equal(2, builder.WithOptions(new() { Resolution = new(64, 64), MaxImagePixels = 200_000_000 }).Build().Samples.Count);
        Assert.Throws<InvalidOptionsException>(builder.WithOptions(new() { Resolution = new(64, 64), MaxImagePixels = 0 }).Build);

        // Sizes that a source gives by itself are held against the limit too.
        var cached = new DatasetBuilder().Add(new FolderSource(_folder.Path) { CacheInfo = true }).WithResolution(64);
        for (var run = 0; run < 2; run++) Assert.Contains("MaxImagePixels", Assert.Throws<InvalidOptionsException>(cached.Build).Message);
    }

    private DatasetBuilder Builder(DatasetOptions options, LossMask mask = LossMask.None) =>
        new DatasetBuilder().AddFolder(_folder.Path, new SubsetOptions { ClassTokens = "frog", Mask = mask }).WithOptions(options);

    private float[] Batch(DatasetOptions options)
    {
        var dataset = Builder(options with { BatchSize = 2 }).Build();
        using var loader = new BatchLoader(new() { Workers = 0 });
        foreach (var batch in loader.Load(EpochPlan.Create(dataset, new NamedSeeds(1), 1)))
        {
            using (batch)
            {
                var values = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(batch.Pixels!.bytes).ToArray();
                return [.. batch.Items.Select((item, i) => (item.Path, values[(i * 3 * 64 * 64) + 5]))
                    .OrderBy(pair => pair.Path, StringComparer.Ordinal).Select(pair => pair.Item2)];
            }
        }

        return [];
    }

    private void Write(string name, byte[] file) => File.WriteAllBytes(_folder.File(name), file);

    /// <summary>A PNG whose bytes all are 100; of one bit all are 0.</summary>
    private static byte[] Png(int width, int height, byte depth, byte color, int bytesPerPixel, params (string Type, byte[] Content)[] more)
    {
        using var file = new MemoryStream();
        file.Write([0x89, (byte)'P', (byte)'N', (byte)'G', 13, 10, 26, 10]);
        var header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), height);
        (header[8], header[9]) = (depth, color);
        Chunk("IHDR", header);
        foreach (var (type, content) in more) Chunk(type, content);
        using var packed = new MemoryStream();
        using (var zlib = new ZLibStream(packed, CompressionLevel.Fastest, leaveOpen: true))
        {
            var row = new byte[1 + (bytesPerPixel == 0 ? (width + 7) / 8 : width * bytesPerPixel)];
            if (bytesPerPixel > 0) row.AsSpan(1).Fill(100);
            for (var y = 0; y < height; y++) zlib.Write(row);
        }

        Chunk("IDAT", packed.ToArray());
        Chunk("IEND", []);
        return file.ToArray();

        void Chunk(string type, byte[] content)
        {
            byte[] body = [.. Encoding.ASCII.GetBytes(type), .. content];
            Span<byte> number = stackalloc byte[4];
            BinaryPrimitives.WriteInt32BigEndian(number, content.Length);
            file.Write(number);
            file.Write(body);
            BinaryPrimitives.WriteUInt32BigEndian(number, Crc32.HashToUInt32(body));
            file.Write(number);
        }
    }
}
