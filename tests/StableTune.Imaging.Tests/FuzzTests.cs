using System.IO.Hashing;

namespace StableTune.Imaging.Tests;

/// <summary>Damaged files give a picture or an InvalidFileException: never another exception, a crash of the process, or a hang.</summary>
public sealed class FuzzTests
{
    [Theory]
    [InlineData("jpeg_exif6.jpg")]
    [InlineData("jpeg_progressive.jpg")]
    [InlineData("jpeg_cmyk.jpg")]
    [InlineData("png_gray16.png")]
    [InlineData("png_palette_transparent.png")]
    [InlineData("tiny_odd.png")]
    [InlineData("webp_alpha.webp")]
    [InlineData("webp_lossless.webp")]
    [InlineData("webp_lossy.webp")]
    [InlineData("bmp.bmp")]
    public void Decode_MutatedFile_IsAPictureOrRefused(string name)
    {
        var original = File.ReadAllBytes(ImageCases.ImagePath(name));
        var random = new Random(name.Length);
        var options = new ImageLoadOptions { MaxPixels = 1 << 18 };
        var (loaded, refused) = (0, 0);
        for (var round = 0; round < 400; round++)
        {
            var file = Mutate(original, random);
            if (name.EndsWith(".png", StringComparison.Ordinal) && round % 2 == 0) RepairChecksums(file);
            try
            {
                var image = ImageFile.Decode(file, options with { KeepAlpha = round % 3 == 0 });
                Assert.Equal(image.Width * image.Height * image.Channels, image.Pixels.Length);
                loaded++;
            }
            catch (InvalidFileException)
            {
                refused++;
            }
        }

        Assert.True(refused > 0, $"{name}: {loaded} loaded, {refused} refused");
    }

    // Half of the changes hit the first 200 bytes, where the structure is.
    private static byte[] Mutate(byte[] original, Random random)
    {
        var file = original.ToArray();
        for (var change = random.Next(1, 8); change > 0; change--)
        {
            var at = random.Next(random.Next(2) == 0 ? Math.Min(200, file.Length) : file.Length);
            file[at] = random.Next(3) switch { 0 => (byte)random.Next(256), 1 => (byte)(file[at] ^ (1 << random.Next(8))), _ => random.Next(2) == 0 ? (byte)255 : (byte)0 };
        }

        return random.Next(5) == 0 ? file[..random.Next(file.Length)] : file;
    }

    // Otherwise nothing but the checksum would ever be tried.
    private static void RepairChecksums(byte[] file)
    {
        for (long at = 8; at + 12 <= file.Length;)
        {
            long length = System.Buffers.Binary.BinaryPrimitives.ReadUInt32BigEndian(file.AsSpan((int)at));
            if (at + 12 + length > file.Length) return;
            var crc = Crc32.HashToUInt32(file.AsSpan((int)at + 4, (int)length + 4));
            System.Buffers.Binary.BinaryPrimitives.WriteUInt32BigEndian(file.AsSpan((int)(at + 8 + length)), crc);
            at += 12 + length;
        }
    }
}
