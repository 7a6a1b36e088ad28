using System.Text.Json;
using StableTune.Testing;

namespace StableTune.Data.Tests;

public sealed class DreamBoothFolderTests
{
    private static JsonElement Expected { get; } =
        JsonDocument.Parse(File.ReadAllBytes(Fixtures.Path("data", "folders", "expected.json"))).RootElement;

    [Fact]
    public void Parse_EveryFolderOfTheReference_SaysTheSame()
    {
        var expected = Expected.GetProperty("subsets").EnumerateArray()
            .Where(subset => !subset.GetProperty("is_reg").GetBoolean())
            .ToDictionary(subset => subset.GetProperty("image_dir").GetString()!["train/".Length..],
                subset => new DreamBoothFolder(subset.GetProperty("num_repeats").GetInt32(), subset.GetProperty("class_tokens")
                    .GetString()!));
        var names = Expected.GetProperty("directory_names").EnumerateArray().Select(name => name.GetString()!).ToList();
        Assert.Equal(18, names.Count);
        Assert.All(names, name => Assert.Equal(expected.GetValueOrDefault(name), DreamBoothFolder.Parse(name)));
    }

    [Theory]
    [InlineData("99999999999_frog")]
    [InlineData("_frog")]
    [InlineData("")]
    [InlineData("1 0_frog")]
    public void Parse_NoNumber_IsNoConvention(string name) => Assert.Null(DreamBoothFolder.Parse(name));

    [Fact]
    public void Root_TakesTheFoldersOfTheReference_AndNamesTheOthers()
    {
        var source = new DreamBoothRootSource(Fixtures.Path("data", "folders", "train"));
        var expected = Expected.GetProperty("subsets").EnumerateArray()
            .Where(subset => !subset.GetProperty("is_reg").GetBoolean())
            .Select(subset => (subset.GetProperty("image_dir").GetString()!["train/".Length..], subset.GetProperty("num_repeats")
                .GetInt32(), subset.GetProperty("class_tokens").GetString()))
            .Order();
        var found = source.Items().Select(item => (Path.GetFileName(Path.GetDirectoryName(item.Path)!), item.Repeats, item.ClassTokens));
        Assert.Equal(expected, found.Order());
        var warnings = source.Warnings().ToList();
        Assert.Equal(2, warnings.Count);
        Assert.Contains(
            $"{expected.Count()} of {expected.Count()} image(s) have no caption file (.caption); the class tokens are their caption",
            warnings[1]);
        var warning = warnings[0];
        Assert.All(new[] { "-2_neg", "0_zero", "abc", "x_10_y", "1.5_float" }, name => Assert.Contains($"\"{name}\"", warning));
    }

    [Fact]
    public void Root_OfRegularizationImages_IsRead()
    {
        var dataset = new DatasetBuilder().WithResolution(64)
            .AddDreamBoothRoot(Fixtures.Path("data", "folders", "train"))
            .AddRegularizationRoot(Fixtures.Path("data", "folders", "reg")).Build();
        var regularization = Assert.Single(dataset.Samples, sample => sample.Subset.IsRegularization);
        Assert.Equal("frog", regularization.Caption);
        Assert.Equal(dataset.TrainingImageCount, regularization.Repeats);
        Assert.Equal(1, dataset.RegularizationImageCount);
    }
}
