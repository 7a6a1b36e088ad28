using System.Buffers.Binary;
using System.Text;
using System.Text.RegularExpressions;
using StableTune.Testing;

namespace StableTune.Tests;

/// <summary>Models that cannot work are refused when the run is built: by file, with what is wrong and what to do.</summary>
public sealed class BadModelTests : IDisposable
{
    private const string UNet = "unet/diffusion_pytorch_model.safetensors";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Build_FolderMissing_NamesIt()
    {
        var problem = Refused(TinyRun.Builder(_folder).WithModel(_folder.File("nowhere")));
        Assert.Contains("nowhere", problem.Value!.ToString());
        Assert.Equal("there is no such file or folder", problem.Rule);
    }

    [Fact]
    public void Build_WeightsCutShort_NamesTheFile() =>
        Damaged(UNet, bytes => bytes[..^1000], "data");

    [Fact]
    public void Build_WeightsAreEmpty_NamesTheFile() =>
        Damaged(UNet, _ => [], "empty");

    [Fact]
    public void Build_HeaderClaimsToBeHuge_NamesTheFile() => Damaged(UNet, bytes =>
    {
        BinaryPrimitives.WriteInt64LittleEndian(bytes, long.MaxValue);
        return bytes;
    }, "header");

    [Theory]
    [InlineData("\"data_offsets\":[0,", "\"data_offsets\":[4,")]
    [InlineData("\"data_offsets\":[0,", "\"data_offsets\":[-4,")]
    [InlineData("\"dtype\":\"F16\"", "\"dtype\":\"F32\"")]
    [InlineData("\"dtype\":\"F16\"", "\"dtype\":\"F99\"")]
    public void Build_HeaderLies_NamesTheFile(string from, string to) =>
        Damaged(UNet, bytes => WithHeader(bytes, header => ReplaceOnce(header, from, to)), "");

    [Fact]
    public void Build_ATensorReachesBeyondTheFile_NamesTheFile() =>
        Damaged(UNet, bytes => WithHeader(bytes, header => Regex.Replace(header, @"\[(\d+),(\d{6,})\](?!.*\[\d+,\d{7,}\])", "[$1,9$2]")),
            "");

    [Fact]
    public void Build_ATensorIsMissing_NamesIt() =>
        Damaged(UNet, bytes => WithHeader(bytes, header => ReplaceOnce(header, "\"conv_in.weight\"", "\"conv_xx.weight\"")),
            "conv_in.weight");

    [Fact]
    public void Build_ConfigurationOfAnotherWidth_NamesTensorsAndShapes() =>
        Damaged("unet/config.json", bytes =>
            Edit(bytes, "\"block_out_channels\": [\n  32,", "\"block_out_channels\": [\n  64,"), "[64, 4, 3, 3]", "unet");

    [Fact]
    public void Build_Sdxl_IsNotTakenForSomethingElse() =>
        Damaged("model_index.json", bytes =>
            Edit(bytes, "StableDiffusionPipeline", "StableDiffusionXLPipeline"), "StableDiffusionXLPipeline");

    [Theory]
    [InlineData("text_encoder")]
    [InlineData("tokenizer")]
    [InlineData("vae")]
    public void Build_APartMissing_NamesItsFolder(string part)
    {
        Directory.Delete(Path.Combine(SmallRun.TinySd15(_folder), part), recursive: true);
        var problem = Refused(Builder());
        Assert.EndsWith(part, problem.Value!.ToString(), StringComparison.Ordinal);
        Assert.Contains("missing", problem.Rule);
    }

    [Fact]
    public void Train_TheModelIsDamagedAfterBuilding_FailsBeforeTheFirstStep()
    {
        var (recorder, before) = (new Recorder(), TinyRun.HeldTensors);
        var trainer = Builder().WithObserver(recorder).Build();
        using (var file = new FileStream(Path.Combine(SmallRun.TinySd15(_folder), UNet), FileMode.Open)) file.SetLength(file.Length / 2);
        var fault = Assert.Throws<InvalidFileException>(() => trainer.Train());
        Assert.EndsWith("diffusion_pytorch_model.safetensors", fault.Path, StringComparison.Ordinal);
        Assert.Empty(recorder.Events);
        Assert.Equal(before, TinyRun.HeldTensors);
    }

    private void Damaged(string file, Func<byte[], byte[]> damage, string told, string? where = null)
    {
        var path = Path.Combine(SmallRun.TinySd15(_folder), file);
        File.WriteAllBytes(path, damage(File.ReadAllBytes(path)));
        var problem = Refused(Builder());
        Assert.Contains(where ?? path, problem.Value!.ToString());
        Assert.Contains(told, problem.Rule);
    }

    private TrainerBuilder Builder() => TinyRun.Builder(_folder).WithModel(SmallRun.TinySd15(_folder));

    private OptionProblem Refused(TrainerBuilder builder)
    {
        var before = TinyRun.HeldBefore();
        var problem = Assert.Single(Assert.Throws<InvalidOptionsException>(() => builder.Build()).Problems);
        Assert.Equal("TrainingPlan.ModelPath", problem.Option);
        Assert.NotEmpty(problem.Rule);
        Assert.NotEmpty(problem.Remedy);
        Assert.Equal(before, TinyRun.HeldTensors);
        Assert.Empty(TinyRun.Written(_folder));
        return problem;
    }

    private static byte[] Edit(byte[] bytes, string from, string to) =>
        Encoding.UTF8.GetBytes(ReplaceOnce(Encoding.UTF8.GetString(bytes), from, to));

    private static string ReplaceOnce(string text, string from, string to)
    {
        var at = text.IndexOf(from, StringComparison.Ordinal);
        Assert.True(at >= 0, $"the file does not hold {from}");
        return text[..at] + to + text[(at + from.Length)..];
    }

    /// <summary>The file with another header, whose length is stated correctly.</summary>
    private static byte[] WithHeader(byte[] file, Func<string, string> change)
    {
        var length = (int)BinaryPrimitives.ReadInt64LittleEndian(file);
        var old = Encoding.UTF8.GetString(file, 8, length);
        var header = Encoding.UTF8.GetBytes(change(old));
        Assert.NotEqual(old, Encoding.UTF8.GetString(header));
        var size = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(size, header.Length);
        return [.. size, .. header, .. file[(8 + length)..]];
    }
}
