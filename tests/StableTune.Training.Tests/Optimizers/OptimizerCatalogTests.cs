using StableTune.Optimizers;

namespace StableTune.Training.Tests;

public sealed class OptimizerCatalogTests
{
    [Theory]
    [InlineData("AdamW", typeof(AdamWOptions))]
    [InlineData("adamw", typeof(AdamWOptions))]
    [InlineData("AdamW8bit", typeof(AdamW8bitOptions))]
    [InlineData("ADAMW8BIT", typeof(AdamW8bitOptions))]
    [InlineData("sgdnesterov", typeof(SGDNesterovOptions))]
    public void Create_TakesTheReferencesNames_InAnyCase(string name, Type kind) =>
        Assert.IsType(kind, OptimizerCatalog.Default.Create(name));

    [Fact]
    public void EveryEntry_IsValid_AndOfAKindOfItsOwn()
    {
        Assert.All(OptimizerCatalog.Default.Names, name => Assert.Empty(OptimizerCatalog.Default.Create(name).Validate()));
        var kinds = OptimizerCatalog.Default.Names.Select(name => OptimizerCatalog.Default.Create(name).GetType()).ToList();
        // Files name an optimizer by its kind. sd-scripts has two names for one of them.
        Assert.Equal(kinds.Count - 1, kinds.Distinct().Count());
        Assert.Equal(OptimizerCatalog.Default.Create("DAdaptAdamPreprint"), OptimizerCatalog.Default.Create("DAdaptation"));
    }

    /// <summary>Module and class, with what sd-scripts passes itself.</summary>
    [Theory]
    [InlineData("AdamW", "torch.optim.adamw.AdamW")]
    [InlineData("AdamW8bit", "bitsandbytes.optim.adamw.AdamW8bit")]
    [InlineData("PagedAdamW", "bitsandbytes.optim.adamw.PagedAdamW")]
    [InlineData("PagedAdamW8bit", "bitsandbytes.optim.adamw.PagedAdamW8bit")]
    [InlineData("PagedAdamW32bit", "bitsandbytes.optim.adamw.PagedAdamW32bit")]
    [InlineData("Adam", "torch.optim.adam.Adam")]
    [InlineData("Adam8bit", "bitsandbytes.optim.adam.Adam8bit")]
    [InlineData("Lion", "lion_pytorch.lion_pytorch.Lion")]
    [InlineData("Lion8bit", "bitsandbytes.optim.lion.Lion8bit")]
    [InlineData("PagedLion8bit", "bitsandbytes.optim.lion.PagedLion8bit")]
    [InlineData("SGD", "torch.optim.sgd.SGD")]
    [InlineData("SGDNesterov", "torch.optim.sgd.SGD(momentum=0.9)")]
    [InlineData("SGDNesterov8bit", "bitsandbytes.optim.sgd.SGD8bit(momentum=0.9)")]
    [InlineData("Adagrad", "torch.optim.adagrad.Adagrad")]
    [InlineData("RMSprop", "torch.optim.rmsprop.RMSprop")]
    [InlineData("NAdam", "torch.optim.nadam.NAdam")]
    [InlineData("RAdam", "torch.optim.radam.RAdam")]
    [InlineData("Adamax", "torch.optim.adamax.Adamax")]
    [InlineData("ASGD", "torch.optim.asgd.ASGD")]
    [InlineData("Rprop", "torch.optim.rprop.Rprop")]
    [InlineData("AdamWScheduleFree", "schedulefree.adamw_schedulefree.AdamWScheduleFree")]
    [InlineData("SGDScheduleFree", "schedulefree.sgd_schedulefree.SGDScheduleFree")]
    [InlineData("RAdamScheduleFree", "schedulefree.radam_schedulefree.RAdamScheduleFree")]
    public void ReferenceName_IsTheReferencesClass(string name, string reference) =>
        Assert.Equal(reference, OptimizerCatalog.Default.Create(name).ReferenceName);

    [Fact]
    public void ReferenceName_HasWhatDiffers_AsPythonWritesIt()
    {
        Assert.Equal("lion_pytorch.lion_pytorch.Lion(weight_decay=0.1,betas=(0.95, 0.98),decoupled_weight_decay=True)",
            new LionOptions { WeightDecay = 0.1, Beta1 = 0.95, Beta2 = 0.98, DecoupledWeightDecay = true }.ReferenceName);
        Assert.Equal("torch.optim.adam.Adam(weight_decay=0.01,amsgrad=True)",
            new AdamOptions { WeightDecay = 0.01, AmsGrad = true }.ReferenceName);
        Assert.Equal("torch.optim.rprop.Rprop(etas=(0.5, 1.5))", new RpropOptions { Etas = (0.5, 1.5) }.ReferenceName);
        Assert.Equal("torch.optim.nadam.NAdam(momentum_decay=0.01)", new NAdamOptions { MomentumDecay = 0.01 }.ReferenceName);
    }

    [Fact]
    public void Create_OfAnUnknownName_TellsTheKnownOnesAndTheNearest()
    {
        var fault = Assert.Throws<ArgumentException>(() => OptimizerCatalog.Default.Create("AdamW16bit"));
        Assert.Contains("no known optimizer. Did you mean \"AdamW8bit\"? Known are: ", fault.Message, StringComparison.Ordinal);
    }
}
