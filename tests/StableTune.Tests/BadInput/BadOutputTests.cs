using StableTune.Testing;

namespace StableTune.Tests;

/// <summary>Places that cannot be written to are told when the run is built, not when it has been trained.</summary>
public sealed class BadOutputTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void SaveTo_BelowAFile_IsRefused() => Refused(b => b.SaveTo(Below("frog.safetensors")), "AdapterSaver.Path", "cannot be written to");

    [Fact]
    public void SaveTo_AFolder_IsRefused() => Refused(b => b.SaveTo(_folder.Folder("frog.safetensors")), "AdapterSaver.Path", "this is a folder");

    [Fact]
    public void SaveTo_AnotherKindOfFile_IsRefused() => Refused(b => b.SaveTo(_folder.File("frog.onnx")), "AdapterSaver.Path", "safetensors");

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    public void SaveTo_NoName_IsRefused(string path) => Refused(b => b.SaveTo(path), "AdapterSaver.Path", "safetensors");

    [Fact]
    public void SaveTo_ATypeWithoutFractions_IsRefused() =>
        Refused(b => b.SaveTo(_folder.File("frog.safetensors"), ScalarType.Int64), "AdapterSaver.Precision", "float32, float16 or bfloat16");

    [Fact]
    public void SaveTo_WhereTheSystemForbidsIt_IsRefused()
    {
        if (!OperatingSystem.IsLinux()) return;   // not even root writes to /proc
        Refused(b => b.SaveTo("/proc/stabletune/frog.safetensors"), "AdapterSaver.Path", "cannot be written to");
    }

    [Fact]
    public void Log_InAnImpossiblePlace_IsRefused()
    {
        Refused(b => b.WithLog(Below("run.jsonl")), "JsonLinesLog.path", "cannot be written to");
        Refused(b => b.WithLog(_folder.Folder("logs")), "JsonLinesLog.path", "this is a folder");
        Refused(b => b.WithLog(""), "JsonLinesLog.path", "no path");
    }

    [Fact]
    public void LossCurve_InAnImpossiblePlace_IsRefused()
    {
        Refused(b => b.WithLossCurve(Below("loss.png")), "LossCurve.path", "cannot be written to");
        Refused(b => b.WithLossCurve(_folder.Folder("curves")), "LossCurve.path", "this is a folder");
        Refused(b => b.WithLossCurve("charts" + Path.DirectorySeparatorChar), "LossCurve.path", "this is a folder");
    }

    [Fact]
    public void Samples_InAnImpossiblePlace_AreRefused() =>
        Refused(b => b.WithSamples(Below("samples"), new TextToImageOptions()), "SampleOptions.Folder", "cannot be written to");

    [Fact]
    public void Build_Refused_LeavesAnOlderResultAsItWas()
    {
        Directory.CreateDirectory(_folder.File("out"));
        File.WriteAllText(TinyRun.Output(_folder), "an older result");
        Assert.Throws<InvalidOptionsException>(() => TinyRun.Builder(_folder).WithBatchSize(0).Build());
        Assert.Equal("an older result", File.ReadAllText(TinyRun.Output(_folder)));
        Assert.Equal(["tiny.safetensors"], TinyRun.Written(_folder));
    }

    private string Below(string name)
    {
        File.WriteAllText(_folder.File("file"), "");
        return _folder.File("file", name);
    }

    private void Refused(Func<TrainerBuilder, TrainerBuilder> change, string option, string rule)
    {
        var error = Assert.Throws<InvalidOptionsException>(() => change(TinyRun.Builder(_folder)).Build());
        var problem = Assert.Single(error.Problems);
        Assert.Equal(option, problem.Option);
        Assert.Contains(rule, problem.Rule);
        Assert.NotEmpty(problem.Remedy);
        Assert.Contains($"{option} is ", error.Message);
    }
}
