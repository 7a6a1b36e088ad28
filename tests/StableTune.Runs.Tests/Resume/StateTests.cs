using StableTune.Adapters;
using StableTune.Optimizers;
using StableTune.Testing;
using StableTune.Training;

namespace StableTune.Tests.Resume;

/// <summary>States of runs through the public API: what is written, taken, and refused.</summary>
public sealed class StateTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Resume_AtEveryStep_EndsAsTheWholeRun()
    {
        var whole = Builder("whole").SaveState(_folder.File("states", "frog")).SaveEvery(steps: 1).Train();
        for (var step = 1; step < 5; step++)
        {
            var before = HeldTensors.Before();
            var result = Builder($"from{step}").ResumeFrom(_folder.File("states", $"frog-step{step:D8}-state")).Train();
            Assert.Equal(before, TensorCount.Live);
            Assert.Equal(whole.Losses, result.Losses);
            Assert.Equal(TinyRun.Weights(whole.Files[0]), TinyRun.Weights(result.Files[0]));
        }
    }

    [Fact]
    public void Resume_AtTheEndOfAnEpoch_TellsEachEpochOnce()
    {
        Builder("first").SaveState(_folder.File("states", "frog")).SaveEvery(epochs: 1).For(TrainingLength.Epochs(2)).Train();
        var recorder = new Recorder();
        Builder("second").ResumeFrom(_folder.File("states", "frog-000001-state")).For(TrainingLength.Epochs(3)).WithObserver(recorder)
            .Train();
        Assert.Equal(["epoch 2", "epoch 3"], recorder.Events.Where(entry => entry.StartsWith("epoch", StringComparison.Ordinal)));
    }

    [Fact]
    public void Resume_AnEndedRunWithAGreaterLength_GoesOn()
    {
        var longer = Builder("longer").For(TrainingLength.Epochs(4)).Train();
        Builder("shorter").For(TrainingLength.Epochs(2)).SaveState(_folder.File("states", "frog")).Train();
        var resumed = Builder("resumed").For(TrainingLength.Epochs(4)).ResumeFrom(_folder.File("states", "frog-state")).Train();
        Assert.Equal((longer.Steps, longer.Epochs), (resumed.Steps, resumed.Epochs));
        Assert.Equal(longer.Losses, resumed.Losses);
        Assert.Equal(TinyRun.Weights(longer.Files[0]), TinyRun.Weights(resumed.Files[0]));
    }

    [Fact]
    public void Resume_ACancelledRun_GoesOn()
    {
        var whole = Builder("whole").Train();
        using var source = new CancellationTokenSource();
        Assert.ThrowsAny<OperationCanceledException>(() =>
            Builder("cancelled").SaveState(_folder.File("states", "frog")).Train(Reports.CancelAt(2, source), source.Token));
        var resumed = Builder("resumed").ResumeFromLatest(_folder.File("states")).Train();
        Assert.Equal(whole.Losses, resumed.Losses);
        Assert.Equal(TinyRun.Weights(whole.Files[0]), TinyRun.Weights(resumed.Files[0]));
    }

    [Fact]
    public void Resume_WithOtherOptions_ListsTheDifferences_OrTakesThemWhenAllowed()
    {
        Builder("first").SaveState(_folder.File("states", "frog")).Train();
        var state = _folder.File("states", "frog-state");
        TrainerBuilder Other() => Builder("other").WithLearningRate(5e-4, unet: 2e-4)
            .WithOptimizer(new AdamWOptions { Beta1 = 0.8 }).WithSeed(43).For(TrainingLength.Steps(6));
        var error = Assert.Throws<InvalidFileException>(() => Other().ResumeFrom(state).Train());
        foreach (var difference in new[] { "LearningRate is 0.0005, and was 0.001",
            "UNetLearningRate is 0.0002, and was not set", "Optimizer.Beta1 is 0.8, and was 0.9",
            "Seed is 43, and was 42" })
            Assert.Contains(difference, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("Length", error.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(TinyRun.Output(_folder, "other")));
        var taken = Other().ResumeFrom(state, allowDifferences: true).Train();
        Assert.Equal(6, taken.Steps);
        Assert.Contains(taken.Warnings, warning => warning.Contains("Optimizer.Beta1 is 0.8", StringComparison.Ordinal));
    }

    [Fact]
    public void Resume_WithOtherImages_NamesThem()
    {
        Builder("first").SaveState(_folder.File("states", "frog")).Train();
        var images = TinyRun.Images(_folder);
        File.Copy(Path.Combine(images, "0.png"), Path.Combine(images, "new.png"));
        Imaging.ImageFile.SavePng(Path.Combine(images, "1.png"), new Imaging.Canvas(72, 64, Imaging.PixelColor.FromRgb(0x102030)).Image);
        var error = Assert.Throws<InvalidFileException>(() => Builder("second").ResumeFrom(_folder.File("states", "frog-state")).Train());
        Assert.Contains("an image is new or was changed: new.png", error.Message, StringComparison.Ordinal);
        Assert.Contains("an image is gone or was changed: 1.png 64x64", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Resume_FromSomethingElse_SaysWhatItIs()
    {
        Assert.Equal("ResumeOptions.Path",
            Assert.Single(Assert.Throws<InvalidOptionsException>(() =>
            Builder("a").ResumeFrom(_folder.File("nowhere")).Build()).Problems).Option);
        string Fault(string path) => Assert.Throws<InvalidFileException>(() => Builder("a").ResumeFrom(path).Train()).Message;
        Assert.Contains("state.json is missing", Fault(_folder.Folder("empty")), StringComparison.Ordinal);
        File.WriteAllText(_folder.File("file"), "");
        Assert.Contains("there is no such folder", Assert.Throws<InvalidOptionsException>(() =>
            Builder("a").ResumeFrom(_folder.File("file")).Build()).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("accelerate", "give it as initial weights of what is trained", "random_states_0.pkl", "optimizer.bin", "model.safetensors")]
    [InlineData("accelerate", "holds no weights", "optimizer.bin", "scheduler.bin")]
    [InlineData("sd-scripts (kohya)", "in model.safetensors", "train_state.json", "optimizer.bin", "model.safetensors")]
    [InlineData("diffusers", "pytorch_lora_weights.safetensors: give it as initial weights (AdapterTrainableOptions.InitialWeights",
        "random_states_0.pkl", "pytorch_lora_weights.safetensors")]
    [InlineData("accelerate", "in the place of the UNet", "random_states_0.pkl", "unet/config.json")]
    [InlineData("ppdiffusers", "load it as the base model", "model_state.pdparams", "optimizer.pdopt", "trainer_state.json")]
    [InlineData("transformers' Trainer", "holds no weights", "trainer_state.json")]
    [InlineData("OneTrainer", "lora.safetensors: give it", "meta.json", "optimizer/optimizer.pt", "lora/lora.safetensors")]
    [InlineData("OneTrainer", "load it as the base model", "meta.json", "optimizer/optimizer.pt", "model_index.json")]
    [InlineData("DeepSpeed", "holds no weights", "zero_to_fp32.py")]
    [InlineData("diffusers (a model, not a state)", "load it as the base model", "model_index.json")]
    public void Resume_FromAnotherToolsState_NamesIt_AndSaysWhatCanBeTaken(string tool, string told, params string[] files)
    {
        foreach (var file in files)
        {
            var path = _folder.File([.. file.Split('/').Prepend("foreign")]);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, "");
        }

        var fault = Assert.Throws<InvalidFileException>(() => Builder("a").ResumeFrom(_folder.File("foreign")).Train());
        Assert.Contains("this is a folder of " + tool, fault.Message, StringComparison.Ordinal);
        Assert.Contains(told, fault.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(TinyRun.Output(_folder, "a")));
    }

    [Theory]
    [InlineData("optimizer.safetensors")]
    [InlineData("trainables/lora.safetensors")]
    [InlineData("random.safetensors")]
    [InlineData("dataset.json")]
    public void Resume_FromADamagedState_NamesTheFile_AndTrainsNothing(string file)
    {
        Builder("first").SaveState(_folder.File("states", "frog")).Train();
        var path = Path.Combine(_folder.File("states", "frog-state"), file);
        var bytes = File.ReadAllBytes(path);
        bytes[^1] ^= 1;
        File.WriteAllBytes(path, bytes);
        var recorder = new Recorder();
        string Fault() => Assert.Throws<InvalidFileException>(() =>
            Builder("second").WithObserver(recorder).ResumeFrom(_folder.File("states", "frog-state")).Train()).Message;
        Assert.Contains(file, Fault(), StringComparison.Ordinal);
        File.Delete(path);
        Assert.Contains(file, Fault(), StringComparison.Ordinal);
        Assert.Empty(recorder.Events);
    }

    [Theory]
    [InlineData("\"format\": 1", "\"format\": 99", "format 99")]
    [InlineData("\"step\"", "\"stop\"", "\"step\"")]
    [InlineData("optimizer.safetensors", "../../escape.safetensors", "outside")]
    [InlineData("{", "", "JSON")]
    [InlineData("\"optimizer\": {", "\"optimiser\": {", "\"optimizer\"")]
    [InlineData("\"trainables/lora\": {", "\"trainables/style\": {", "\"trainables/lora\"")]
    [InlineData("\"random\": {", "\"chance\": {", "\"random\"")]
    public void Resume_FromAStateThatWasEdited_SaysWhatIsWrong(string part, string other, string told)
    {
        Builder("first").SaveState(_folder.File("states", "frog")).Train();
        var path = Path.Combine(_folder.File("states", "frog-state"), "state.json");
        var text = File.ReadAllText(path);
        var place = text.IndexOf(part, StringComparison.Ordinal);
        File.WriteAllText(path, text[..place] + other + text[(place + part.Length)..]);
        var error = Assert.Throws<InvalidFileException>(() => Builder("second").ResumeFrom(_folder.File("states", "frog-state")).Train());
        Assert.Contains(told, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ResumeFromLatest_PassesOverWhatIsUnfinished_AndBeginsAnewWithoutAny()
    {
        var states = _folder.Folder("states");
        Directory.CreateDirectory(Path.Combine(states, "frog-step00000099-state"));
        File.WriteAllText(Path.Combine(states, "frog-step00000099-state", "state.json"), "{ half");
        var anew = Builder("anew").SaveState(Path.Combine(states, "frog"), keepLast: 2).SaveEvery(steps: 1).ResumeFromLatest(states)
            .Train();
        Assert.Equal(5, anew.Steps);
        // Of the numbered ones the newest two.
        Assert.Equal(["frog-state", "frog-step00000004-state", "frog-step00000005-state", "frog-step00000099-state"],
            Directory.GetDirectories(states).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        var recorder = new Recorder();
        var resumed = Builder("resumed").ResumeFromLatest(states).For(TrainingLength.Steps(7)).WithObserver(recorder).Train();
        Assert.Equal(["step 6", "step 7"], recorder.Events.Where(entry => entry.StartsWith("step", StringComparison.Ordinal)));
        Assert.Equal(anew.Losses, resumed.Losses.Take(5));
    }

    private TrainerBuilder Builder(string name) => TinyRun.Builder(_folder, name).For(TrainingLength.Steps(5)).WithCachedLatents(false);
}
