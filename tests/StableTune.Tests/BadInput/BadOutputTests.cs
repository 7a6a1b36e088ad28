using StableTune.Checkpoints;
using StableTune.Models;
using StableTune.Testing;

namespace StableTune.Tests;

/// <summary>Places that cannot be written to are told when the run is built, not when it has been trained.</summary>
public sealed class BadOutputTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void SaveTo_BelowAFile_IsRefused() =>
        Refused(b => b.SaveTo(Below("frog.safetensors")), "TrainableSaver.Path", "cannot be written to");

    [Fact]
    public void SaveTo_AFolder_IsRefused() =>
        Refused(b => b.SaveTo(_folder.Folder("frog.safetensors")), "TrainableSaver.Path", "this is a folder");

    [Fact]
    public void SaveTo_AnotherKindOfFile_IsRefused() =>
        Refused(b => b.SaveTo(_folder.File("frog.onnx")), "TrainableSaver.Path", "safetensors");

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    public void SaveTo_NoName_IsRefused(string path) => Refused(b => b.SaveTo(path), "TrainableSaver.Path", "safetensors");

    [Fact]
    public void SaveTo_AFileOfTheModel_IsRefusedAndNothingChanges()
    {
        var weights = Path.Combine(SmallRun.Model(_folder), "unet", "diffusion_pytorch_model.safetensors");
        var before = File.ReadAllBytes(weights);
        Refused(b => b.SaveTo(weights), "TrainableSaver.Path", "a file of the model that is trained");
        if (!OperatingSystem.IsWindows())   // a link wants rights there
        {
            var link = _folder.File("link.safetensors");
            File.CreateSymbolicLink(link, weights);
            Refused(b => b.SaveTo(link), "TrainableSaver.Path", "a file of the model that is trained");
        }

        Assert.Equal(before, File.ReadAllBytes(weights));
    }

    [Fact]
    public void ModelLoader_ADeviceThatIsNotThere_IsNamedBeforeAnythingIsLoaded()
    {
        if (torch.cuda.is_available()) return;
        var error = Assert.Throws<InvalidOptionsException>(() =>
            ModelLoader.Load(_folder.File("no model"), new ModelLoadOptions { Device = new Device("cuda:7") }));
        Assert.Contains("ModelLoadOptions.Device", error.Message, StringComparison.Ordinal);
        Assert.Contains("cuda:7", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void SaveTo_ATypeWithoutFractions_IsRefused() =>
        Refused(b => b.SaveTo(new TrainableSaver(_folder.File("frog.safetensors")) { Precision = ScalarType.Int64 }),
            "TrainableSaver.Precision", "float32, float16 or bfloat16");

    [Fact]
    public void SaveTo_WhereTheSystemForbidsIt_IsRefused()
    {
        if (!OperatingSystem.IsLinux()) return;   // not even root writes to /proc
        Refused(b => b.SaveTo("/proc/stabletune/frog.safetensors"), "TrainableSaver.Path", "cannot be written to");
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
