using StableTune.Losses;

namespace StableTune.Diffusion.Tests;

public class LossCatalogTests
{
    [Fact]
    public void Create_NamesOfTheReference_GiveTheirLosses()
    {
        Assert.Equal([new HuberLoss(), new L1Loss(), new MseLoss(), new LogCoshLoss(), new MixedLoss(), new SmoothL1Loss()],
            LossCatalog.Default.Names.Select(LossCatalog.Default.Create));
        // What files say the loss was is the name under which it is found again.
        Assert.All(LossCatalog.Default.Names, name => Assert.Equal(name, LossCatalog.Default.Create(name).Name));
    }

    [Fact]
    public void Create_UnknownName_TellsTheNearest() =>
        Assert.Contains("Did you mean \"huber\"?", Assert.Throws<ArgumentException>(() => LossCatalog.Default.Create("hubert")).Message);
}
