using StableTune.Configuration;
using StableTune.Optimizers;
using StableTune.Testing;

namespace StableTune.Tests.Configuration;

/// <summary>Optimizers that find their own rate, and the further ones, as the references' options name them.</summary>
public sealed class OwnRateOptionTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string, string, OptimizerOptions> Said => new()
    {
        { "DAdaptAdam", "decouple=True weight_decay=0.05 betas=0.9,0.99 d0=1e-5 growth_rate=1.02 use_bias_correction=True eps=1e-6",
            new DAdaptAdamOptions
            {
                Decouple = true, WeightDecay = 0.05, Beta2 = 0.99, D0 = 1e-5, GrowthRate = 1.02, UseBiasCorrection = true, Epsilon = 1e-6,
            } },
        { "DAdaptation", "decouple=True", new DAdaptAdamPreprintOptions { Decouple = true } },
        { "dadaptadampreprint", "", new DAdaptAdamPreprintOptions() },
        { "DAdaptAdaGrad", "momentum=0.9", new DAdaptAdaGradOptions { Momentum = 0.9 } },
        { "DAdaptAdan", "betas=(0.9,0.9,0.95) no_prox=True",
            new DAdaptAdanOptions { Beta1 = 0.9, Beta2 = 0.9, Beta3 = 0.95, NoProx = true } },
        { "DAdaptAdanIP", "weight_decay=0", new DAdaptAdanIPOptions { WeightDecay = 0 } },
        { "DAdaptLion", "betas=0.95,0.98", new DAdaptLionOptions { Beta1 = 0.95, Beta2 = 0.98 } },
        { "DAdaptSGD", "momentum=0.5", new DAdaptSGDOptions { Momentum = 0.5 } },
        { "prodigy",
            "decouple=True weight_decay=0.01 d_coef=2 use_bias_correction=True safeguard_warmup=True betas=0.9,0.99 slice_p=11 beta3=0.9",
            new ProdigyOptions
            {
                WeightDecay = 0.01, DCoef = 2, UseBiasCorrection = true, SafeguardWarmup = true, Beta2 = 0.99, SliceP = 11, Beta3 = 0.9,
            } },
        { "AdEMAMix8bit", "alpha=8 t_alpha=100 t_beta3=200 betas=(0.9,0.999,0.99)",
            new AdEMAMix8bitOptions { Alpha = 8, TAlpha = 100, TBeta3 = 200, Beta3 = 0.99 } },
        { "PagedAdEMAMix8bit", "weight_decay=0", new PagedAdEMAMix8bitOptions { WeightDecay = 0 } },
        { "AdEMAMix", "eps=1e-6", new AdEMAMixOptions { Epsilon = 1e-6 } },
        { "pytorch_optimizer.CAME", "eps=(1e-30,1e-10) clip_threshold=2", new CAMEOptions { Epsilon = (1e-30, 1e-10), ClipThreshold = 2 } },
        { "ADOPT", "decouple=True", new ADOPTOptions { Decouple = true } },
        { "Adan", "no_prox=True", new AdanOptions { NoProx = true } },
        { "StableAdamW", "betas=0.9,0.95", new StableAdamWOptions { Beta2 = 0.95 } },
        { "torch.optim.Muon", "momentum=0.9 nesterov=False ns_steps=6 adjust_lr_fn='original'",
            new MuonOptions { Momentum = 0.9, Nesterov = false, NsSteps = 6, AdjustLrFn = MuonScale.Original } },
        { "Automagic", "min_lr=1e-6 max_lr=1e-2 lr_bump=1e-5 beta2=0.99",
            new AutomagicOptions { MinLr = 1e-6, MaxLr = 1e-2, LrBump = 1e-5, Beta2 = 0.99 } },
    };

    [Theory]
    [MemberData(nameof(Said))]
    public void OptimizerArguments_AreTakenByTheReferencesNames_AndWrittenBack(string name, string arguments, OptimizerOptions wanted)
    {
        string[] words = [.. OptionNameTests.Base(RunScript.Network), "--optimizer_type", name];
        if (arguments.Length > 0) words = [.. words, "--optimizer_args", .. arguments.Split(' ')];
        Assert.Equal(wanted, RunConfiguration.Parse(words).Builder.Plan.Optimizer);

        var file = _folder.File("again.toml");
        File.WriteAllText(file, new TrainerBuilder().WithModel("model").WithImages(_folder.Folder("img"), 64).WithLoRA(rank: 4)
            .WithOptimizer(wanted).SaveTo(Path.Combine("out", "frog.safetensors")).ToToml());
        Assert.Equal(wanted, TrainerBuilder.FromToml(file).Plan.Optimizer);
    }

    [Theory]
    [InlineData("Prodigy", "d_coeff=2", "Did you mean \"d_coef\"?")]
    [InlineData("DAdaptAdam", "safeguard_warmup=True", "DAdaptAdamOptions knows no \"safeguard_warmup\"")]
    [InlineData("Prodigy", "slice_p=1.5", "slice_p is 1.5")]
    [InlineData("CAME", "eps=1e-8", "eps is 1e-8")]
    public void AnArgumentThatIsNotKnown_IsToldWithTheKnownOnes(string name, string argument, string told)
    {
        string[] words = [.. OptionNameTests.Base(RunScript.Network), "--optimizer_type", name, "--optimizer_args", argument];
        var fault = Assert.Throws<InvalidOptionsException>(() => RunConfiguration.Parse(words));
        Assert.Contains(told, fault.Message, StringComparison.Ordinal);
    }
}
