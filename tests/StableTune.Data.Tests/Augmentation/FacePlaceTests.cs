namespace StableTune.Data.Tests.Augmentation;

public sealed class FacePlaceTests
{
    [Theory]
    [InlineData("anna_0150_0090_0040_0050.png", 150, 90, 40, 50)]
    [InlineData("/faces/anna_lee_01_150_90_40_50.jpg", 150, 90, 40, 50)]
    [InlineData("_0_0_1_1", 0, 0, 1, 1)]
    [InlineData("a_12345_2_3_4.webp", 12345, 2, 3, 4)]
    public void Parse_NameWithFourNumbers_GivesThePlace(string path, int x, int y, int width, int height)
        => Assert.Equal(new FacePlace(x, y, width, height), FacePlace.Parse(path));

    [Theory]
    [InlineData("anna.png")]
    [InlineData("150_90_40_50.png")]
    [InlineData("anna_150_90_40.png")]
    [InlineData("anna_150_90_40_x.png")]
    [InlineData("anna_150_-90_40_50.png")]
    [InlineData("anna_150_90_0_50.png")]
    [InlineData("anna_150_90_40_99999999999.png")]
    [InlineData("")]
    public void Parse_OtherNames_GivesNothing(string path) => Assert.Null(FacePlace.Parse(path));

    [Theory]
    [InlineData("anna", null, "anna_0150_0090_0040_0050.png")]
    [InlineData("anna_b", 2, "anna_b_02_0150_0090_0040_0050.png")]
    public void FileName_IsReadAgain(string stem, int? number, string name)
    {
        var face = new FacePlace(150, 90, 40, 50);
        Assert.Equal(name, face.FileName(stem, number));
        Assert.Equal(face, FacePlace.Parse(name));
    }

    [Theory]
    [InlineData(-1, 0, 1, 1)]
    [InlineData(0, -1, 1, 1)]
    [InlineData(0, 0, 0, 1)]
    [InlineData(0, 0, 1, 0)]
    public void FileName_OfWhatNoNameTells_IsRefused(int x, int y, int width, int height)
        => Assert.Throws<InvalidOperationException>(() => new FacePlace(x, y, width, height).FileName("anna"));
}
