using System.Text;
using StableTune.Formats;
using StableTune.Testing;

namespace StableTune.Checkpoints.Tests.Inspection;

/// <summary>
/// Models with one damaged file, thousands of them: checking gives problems or none, inspecting a description or the one exception;
/// nothing else is thrown,
/// nothing hangs, and memory stays in bounds.
/// </summary>
public sealed class ModelFuzzTests : IDisposable
{
    private const string Unet = "diffusion_pytorch_model.safetensors";

    private static readonly string[] Pieces =
    [
        "-1", "0", "1", "1e9", "2147483647", "9223372036854775807", "1e999", "[]", "{}", "\"\"", "null", "true", "[[", "}}", ",", ":",
            "\"", "\\u0000", "\\ud800", "[0]", "[1,2]", "\"x\"", "../../x", "/etc/passwd",
        "64", "7", "3", "\n", "  - ", "&a", "*a", "!!python/object:os.system", "{a: ", "F64", "BF16", "\"shape\":[", "__metadata__",
    ];

    private readonly TemporaryFolder _folder = new();
    private int _accepted, _refused;

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("model_index.json", 150)]
    [InlineData("unet/config.json", 250)]
    [InlineData("vae/config.json", 250)]
    [InlineData("text_encoder/config.json", 250)]
    [InlineData("scheduler/scheduler_config.json", 150)]
    public void Folder_WithADamagedConfiguration_IsCheckedAndInspected(string file, int runs)
    {
        var folder = FixtureModels.ShallowSd15(_folder);
        Text(folder, Path.Combine(folder, file), runs, new Random(file.Length));
    }

    [Fact]
    public void Folder_WithADamagedIndexOfShards_IsCheckedAndInspected()
    {
        var folder = FixtureModels.ShallowSd15(_folder);
        var unet = Path.Combine(folder, "unet", Unet);
        var index = unet + ".index.json";
        using (var whole = SafetensorsFile.Open(unet))
            File.WriteAllText(index, $$"""{"metadata": {"total_size": 1}, "weight_map": { {{string.Join(", ", whole.Tensors.Select(t => $"\"{t.Name}\": \"part.safetensors\""))}} } }""");
        File.Move(unet, Path.Combine(folder, "unet", "part.safetensors"));
        Assert.Empty(ModelLoader.Check(folder));
        Text(folder, index, 150, new Random(5));
    }

    [Fact]
    public void Folder_WithADamagedHeader_IsCheckedAndInspected()
    {
        var folder = FixtureModels.ShallowSd15(_folder);
        InPlace(folder, Path.Combine(folder, "text_encoder", "model.safetensors"), Exhaustive.Runs(60, 4_000), new Random(6),
            fromEnd: false);
    }

    [Fact]
    public void SingleFile_WithADamagedHeader_IsCheckedAndInspected()
    {
        var path = Copy(FixtureModels.SingleFile("tiny-sd15"));
        InPlace(path, path, Exhaustive.Runs(200, 100_000), new Random(7), fromEnd: false);
    }

    [Fact]
    public void SingleFile_WithADamagedYaml_IsCheckedAndInspected()
    {
        var path = Copy(FixtureModels.SingleFile("tiny-sd15"));
        Text(path, Path.ChangeExtension(path, ".yaml"), 250, new Random(8));
    }

    [Theory]
    [InlineData("tiny-sd15-ckpt.ckpt", false)]
    [InlineData("tiny-sd15-ckpt.ckpt", true)]
    [InlineData("tiny-sd15-ckpt-legacy-ema.ckpt", false)]
    public void Checkpoint_WithDamagedBytes_IsCheckedAndInspected(string name, bool fromEnd)
    {
        var path = Copy(Fixtures.Path("models", name));
        InPlace(path, path, Exhaustive.Runs(100, 10_000), new Random(name.Length + (fromEnd ? 1 : 0)), fromEnd);
    }

    /// <summary>Damages a text file again and again.</summary>
    private void Text(string model, string file, int runs, Random random)
    {
        var original = File.ReadAllText(file);
        for (var i = 0; i < Exhaustive.Runs(runs / 4, runs * 20); i++)
        {
            File.WriteAllText(file, Damage(original, random));
            Try(model);
        }

        File.WriteAllText(file, original);
        Assert.InRange(_refused, 1, int.MaxValue);
    }

    /// <summary>Damages bytes of a large file where they lie, in its header or its end, and mends them again.</summary>
    private void InPlace(string model, string file, int runs, Random random, bool fromEnd)
    {
        var length = (int)new FileInfo(file).Length;
        var reach = Math.Min(length, 60_000);
        for (var i = 0; i < runs; i++)
        {
            using var stream = new FileStream(file, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
            var (count, at) = (random.Next(1, 12),
                fromEnd ? length - 1 - random.Next(reach) : random.Next(4) == 0 ? random.Next(64) : random.Next(reach));
            count = Math.Min(count, length - at);
            var kept = new byte[count];
            stream.Position = at;
            stream.ReadExactly(kept);
            stream.Position = at;
            stream.Write(Replacement(kept, random));
            stream.Flush();
            Try(model);
            stream.Position = at;
            stream.Write(kept);
        }

        Assert.InRange(_refused, 1, int.MaxValue);
    }

    private void Try(string model)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.NotNull(ModelLoader.Check(model));
        try
        {
            var found = ModelInspector.Inspect(model);
            Assert.NotEmpty(found.ToString());
            if (found.Problems.Count == 0) _accepted++;
            else _refused++;
        }
        catch (InvalidFileException e)
        {
            Assert.NotEmpty(e.Remedy);
            _refused++;
        }

        // A module of TorchSharp takes some 10 KB while it is made: 34 layers a block, the most of the ordinary run, come to 115 MB.
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, Exhaustive.Runs(150_000_000, 400_000_000));
    }

    private string Copy(string path)
    {
        var copy = _folder.File(Path.GetFileName(path));
        File.Copy(path, copy);
        if (File.Exists(Path.ChangeExtension(path, ".yaml")))
            File.Copy(Path.ChangeExtension(path, ".yaml"), Path.ChangeExtension(copy, ".yaml"));
        return copy;
    }

    private static byte[] Replacement(byte[] kept, Random random)
    {
        var bytes = (byte[])kept.Clone();
        switch (random.Next(4))
        {
            case 0: random.NextBytes(bytes); break;
            case 1: bytes[0] ^= (byte)(1 << random.Next(8)); break;
            case 2: Array.Fill(bytes, random.Next(2) == 0 ? (byte)'9' : (byte)0xFF); break;
            default:
                var piece = Encoding.UTF8.GetBytes(Pieces[random.Next(Pieces.Length)]);
                piece.AsSpan(0, Math.Min(piece.Length, bytes.Length)).CopyTo(bytes);
                break;
        }

        return bytes;
    }

    private static string Damage(string original, Random random)
    {
        var text = new StringBuilder(original);
        for (var n = random.Next(1, 4); n > 0 && text.Length > 0; n--)
        {
            var at = random.Next(text.Length);
            switch (random.Next(6))
            {
                case 0: text[at] = (char)random.Next(1, 128); break;
                case 1: text.Remove(at, Math.Min(random.Next(1, 12), text.Length - at)); break;
                case 2: text.Insert(at, Pieces[random.Next(Pieces.Length)]); break;
                case 3 or 4: ReplaceNumber(text, at, random); break;
                default: if (random.Next(4) == 0) text.Length = at; break;
            }
        }

        return text.ToString();
    }

    // The most dangerous damage leaves the notation whole and changes a size.
    private static void ReplaceNumber(StringBuilder text, int from, Random random)
    {
        var at = from;
        while (at < text.Length && !char.IsAsciiDigit(text[at])) at++;
        if (at == text.Length) return;
        var length = 1;
        while (at + length < text.Length && char.IsAsciiDigit(text[at + length])) length++;
        text.Remove(at, length).Insert(
            at, random.Next(3) == 0 ? Pieces[random.Next(Pieces.Length)]
            : random.NextInt64(0, random.Next(2) == 0 ? 40 : 100_000).ToString());
    }
}
