namespace StableTune.Preparation.Onnx.Tests;

/// <summary>sd-trainer's create_pfg_feature: the input of a tagger's last layer.</summary>
public sealed class TaggerFeatureTests : IDisposable
{
    private readonly OnnxFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private string Destination => _folder.File("pfg");

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Run_WritesWhatTheLastLayerTakes(bool sigmoid)
    {
        for (var i = 0; i < 5; i++) _folder.Write($"{i}.png", OnnxFolder.Plain(0x010203 * (i + 1), 8 + i, 8 + i));
        File.WriteAllText(Path.Combine(_folder.Images, "bad.png"), "nothing");
        using var source = new WdTaggerOptions { Model = TinyTaggers.Write(_folder.Folder("m"), TinyTaggers.Wd(sigmoid: sigmoid)) }
            .LoadFeatures();
        Assert.Equal(("features", 3), (source.Value, source.Count));
        var options = new FeatureMakingOptions { Source = _folder.Images, Destination = Destination, BatchSize = 2 };
        var report = FeatureMaking.Run(options, source);
        Assert.Equal(5, report.Done);
        Assert.Equal("bad.png", Path.GetFileName(Assert.Single(report.Skipped).Path));
        for (var i = 0; i < 5; i++)
            Assert.Equal([3f * (i + 1), 2 * (i + 1), i + 1], PromptFreeFeatures.Read(Path.Combine(Destination, $"{i}.npz")));

        Assert.Contains("5 of the results are there already", Assert.Throws<InvalidOptionsException>(() => FeatureMaking.Run(options,
            source)).Message, StringComparison.Ordinal);
        Assert.Equal(0, FeatureMaking.Run(options with { KeepExisting = true }, source).Done);
        Assert.Equal(5, FeatureMaking.Run(options with { Overwrite = true }, source).Done);
    }

    [Fact]
    public void LoadFeatures_OfANamedValue_TakesIt()
    {
        var folder = TinyTaggers.Write(_folder.Folder("m"));
        using (var scores = new WdTaggerOptions { Model = folder }.LoadFeatures("scores")) Assert.Equal(6, scores.Count);
        var error = Assert.Throws<InvalidFileException>(() => new WdTaggerOptions { Model = folder }.LoadFeatures("none"));
        Assert.Equal("there is no value none inside the network.", error.Fault);
        Assert.Equal(Path.Combine(folder, "model.onnx"), error.Path);
    }

    [Fact]
    public void LoadFeatures_WhereThereAreNone_SaysSo()
    {
        var model = _folder.Echo("m", channelsLast: true, 4);
        Assert.Contains("no linear layer", Assert.Throws<InvalidFileException>(() => new WdTaggerOptions { Model = model }.LoadFeatures())
            .Fault, StringComparison.Ordinal);
        Assert.Contains("not one row of numbers", Assert.Throws<InvalidFileException>(() =>
            new WdTaggerOptions { Model = model }.LoadFeatures("x")).Fault, StringComparison.Ordinal);
    }

    [Fact]
    public void LoadFeatures_OfAConvolutionalHead_TakesItsInput()
    {
        var model = new OnnxModelWriter().Input("x", OnnxType.Float, 0, 3, 8, 8);
        var pooled = model.Node("GlobalAveragePool", ["x"], "pooled");
        var head = model.Node("Conv", [pooled, model.Weights(new float[18], 6, 3, 1, 1)]);
        model.Node("Flatten", [head], "y");
        model.Output("y", OnnxType.Float, 0, 6).Save(_folder.File("m", "model.onnx"));
        using var source = new WdTaggerOptions { Model = _folder.File("m") }.LoadFeatures();
        Assert.Equal(("pooled", 3), (source.Value, source.Count));
        Assert.Equal([-1f, -1, 1], source.Features([OnnxFolder.Plain(OnnxFolder.Red)], default)[0], (a, b) => Math.Abs(a - b) < 1e-5);
    }
}
