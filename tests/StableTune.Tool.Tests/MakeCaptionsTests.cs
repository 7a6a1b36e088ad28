using System.Text.Json;

namespace StableTune.Tool.Tests;

/// <summary>The command that describes images, beside sd-scripts' script, on the tiny model of the fixtures.</summary>
public sealed class MakeCaptionsTests : ToolTests
{
    private readonly string _images, _model;

    public MakeCaptionsTests()
    {
        (_images, _model) = (Folder.Folder("images"), Folder.Folder("model"));
        foreach (var file in Directory.EnumerateFiles(Fixtures.Path("blip", "images"))) Copy(file, _images);
        // A folder of the hub's layout with the weights of the original.
        foreach (var file in new[] { "config.json", "pytorch_model.bin" }) Copy(Fixtures.Path("blip", "hf-equal", file), _model);
        foreach (var file in new[] { "vocab.txt", "preprocessor_config.json" }) Copy(Fixtures.Path("blip", "hf", file), _model);
    }

    [Fact]
    public async Task MakeCaptions_WithTheScriptsOptions_WritesItsFiles()
    {
        using var facts = JsonDocument.Parse(File.ReadAllBytes(Fixtures.Path("blip", "original.json")));
        foreach (var run in facts.RootElement.GetProperty("script").EnumerateArray())
        {
            string[] options = [.. run.GetProperty("options").EnumerateArray().Select(word => word.GetString()!)];
            Assert.Equal(0, await Describe([.. options, "--debug"]));
            foreach (var file in run.GetProperty("files").EnumerateObject())
            {
                Assert.Equal(file.Value.GetString(), File.ReadAllText(Path.Combine(_images, file.Name)));
                Assert.Contains($"{Path.ChangeExtension(file.Name, ".png")} {file.Value.GetString()!.TrimEnd('\n')}", Errors.ToString(),
                    StringComparison.Ordinal);
                File.Delete(Path.Combine(_images, file.Name));
            }

            Assert.Contains("4 done, 1 left out:", Output.ToString(), StringComparison.Ordinal);
            Assert.Contains("bad.png: ", Output.ToString(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task MakeCaptions_ByChance_IsTheSameForOneSeed_AndGoesOnWhereItEnded()
    {
        Assert.Equal(0, await Describe("--max_length", "12", "--batch_size", "2"));
        var first = Captions();
        Assert.Equal(4, first.Count);
        Assert.Equal(1, await Describe("--max_length", "12"));
        Assert.Contains("4 image(s) have a text already", Errors.ToString(), StringComparison.Ordinal);
        File.Delete(Path.Combine(_images, "b.caption"));
        Assert.Equal(0, await Describe("--max_length", "12", "--skip_existing"));
        Assert.Contains("1 done, 4 left out", Output.ToString(), StringComparison.Ordinal);
        Assert.Equal(first, Captions());
        Assert.Equal(0, await Describe("--max_length", "12", "--seed", "43", "--overwrite"));
        Assert.NotEqual(first, Captions());
    }

    [Fact]
    public async Task MakeCaptions_ThatCannotWork_SaysWhichOption()
    {
        Assert.Equal(1, await Describe("--num_beams", "0", "--beam_search", "--batch_size", "0"));
        Assert.Contains("BeamSearch.Beams is 0", Errors.ToString(), StringComparison.Ordinal);
        Assert.Contains("BatchSize is 0", Errors.ToString(), StringComparison.Ordinal);
        Assert.Equal(1, await Describe("--skip_existing", "--overwrite"));
        Assert.Contains("--overwrite is set too", Errors.ToString(), StringComparison.Ordinal);
        Assert.Equal(1, await Describe("--max_length", "81", "--beam_search"));
        Assert.Contains("BeamSearch.MaxLength is 81: the model has places for 80 tokens", Errors.ToString(), StringComparison.Ordinal);
        Assert.Equal(1, await Run("make-captions", _images, "--caption_weights", Folder.File("none.pth")));
        Assert.Contains("none.pth: there is no such file or folder", Errors.ToString(), StringComparison.Ordinal);
        Assert.Empty(Captions());
    }

    private SortedDictionary<string, string> Captions() => new(Directory.EnumerateFiles(_images, "*.caption")
        .ToDictionary(path => Path.GetFileName(path), File.ReadAllText), StringComparer.Ordinal);

    private static void Copy(string file, string folder) => File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));

    private Task<int> Describe(params string[] options) => Run(["make_captions", _images, "--caption_weights", _model, .. options]);
}
