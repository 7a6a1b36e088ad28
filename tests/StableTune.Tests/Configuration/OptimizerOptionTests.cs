using StableTune.Optimizers;
using StableTune.Schedules;

namespace StableTune.Tests.Configuration;

/// <summary>Optimizers by the references' options: names, arguments, and what goes with them.</summary>
public sealed class OptimizerOptionTests
{
    public static TheoryData<string> Names => [.. OptimizerCatalog.Default.Names];

    [Theory]
    [MemberData(nameof(Names))]
    public void EveryName_IsTaken_InAnyCase(string name)
    {
        var kind = OptimizerCatalog.Default.Create(name).GetType();
        Assert.IsType(kind, Plan("--optimizer_type", name).Optimizer);
        Assert.IsType(kind, Plan("--optimizer_type", name.ToLowerInvariant()).Optimizer);
    }

    [Theory]
    [InlineData("torch.optim.RMSprop", typeof(RMSpropOptions))]
    [InlineData("bitsandbytes.optim.PagedAdamW8bit", typeof(PagedAdamW8bitOptions))]
    [InlineData("transformers.optimization.Adafactor", typeof(AdaFactorOptions))]
    public void AClassOfTheReferences_IsItsLastWord(string name, Type kind) =>
        Assert.IsType(kind, Plan("--optimizer_type", name).Optimizer);

    [Fact]
    public void UseLionOptimizer_IsLion() => Assert.IsType<LionOptions>(Plan("--use_lion_optimizer").Optimizer);

    /// <summary>The metadata's words say what an optimizer was told.</summary>
    [Theory]
    [InlineData("Lion", "betas=.95,.98 weight_decay=0.1 decoupled_weight_decay=True",
        "lion_pytorch.lion_pytorch.Lion(weight_decay=0.1,betas=(0.95, 0.98),decoupled_weight_decay=True)")]
    [InlineData("PagedLion8bit", "betas=(0.95,0.98)", "bitsandbytes.optim.lion.PagedLion8bit(betas=(0.95, 0.98))")]
    [InlineData("Adam", "amsgrad=True eps=1e-6", "torch.optim.adam.Adam(eps=1e-06,amsgrad=True)")]
    [InlineData("SGD", "momentum=0.9 nesterov=True", "torch.optim.sgd.SGD(momentum=0.9,nesterov=True)")]
    [InlineData("SGDNesterov", "momentum=0.8 weight_decay=0.1", "torch.optim.sgd.SGD(momentum=0.8,weight_decay=0.1)")]
    [InlineData("SGDNesterov8bit", "momentum=0.8", "bitsandbytes.optim.sgd.SGD8bit(momentum=0.8)")]
    [InlineData("Adagrad", "lr_decay=0.1 initial_accumulator_value=0.2 eps=1e-8",
        "torch.optim.adagrad.Adagrad(lr_decay=0.1,initial_accumulator_value=0.2,eps=1e-08)")]
    [InlineData("RMSprop", "alpha=0.9 centered=True momentum=0.5", "torch.optim.rmsprop.RMSprop(alpha=0.9,momentum=0.5,centered=True)")]
    [InlineData("NAdam", "momentum_decay=0.01 decoupled_weight_decay=True",
        "torch.optim.nadam.NAdam(momentum_decay=0.01,decoupled_weight_decay=True)")]
    [InlineData("ASGD", "lambd=0.001 alpha=0.5 t0=100", "torch.optim.asgd.ASGD(lambd=0.001,alpha=0.5,t0=100)")]
    [InlineData("Rprop", "etas=(0.4,1.3) step_sizes=1e-5,10", "torch.optim.rprop.Rprop(etas=(0.4, 1.3),step_sizes=(1e-05, 10.0))")]
    [InlineData("AdaFactor", "relative_step=False scale_parameter=False beta1=0.9 eps=(1e-30,1e-2)",
        "transformers.optimization.Adafactor(eps=(1e-30, 0.01),beta1=0.9,scale_parameter=False,relative_step=False)")]
    [InlineData("AdaFactor", "warmup_init=False beta1=None", "transformers.optimization.Adafactor(relative_step=True)")]
    [InlineData("AdamWScheduleFree", "warmup_steps=10 r=1 weight_lr_power=1.5",
        "schedulefree.adamw_schedulefree.AdamWScheduleFree(warmup_steps=10,r=1.0,weight_lr_power=1.5)")]
    [InlineData("RAdamScheduleFree", "silent_sgd_phase=False",
        "schedulefree.radam_schedulefree.RAdamScheduleFree(silent_sgd_phase=False)")]
    [InlineData("SGDScheduleFree", "momentum=0.95", "schedulefree.sgd_schedulefree.SGDScheduleFree(momentum=0.95)")]
    public void Arguments_HaveTheReferencesNames(string name, string arguments, string said) =>
        Assert.Equal(said, Plan(["--optimizer_type", name, "--optimizer_args", .. arguments.Split(' ')]).Optimizer.ReferenceName);

    [Fact]
    public void StochasticRounding_IsAnArgumentOfAll() =>
        Assert.True(Plan("--optimizer_type", "Lion", "--optimizer_args", "stochastic_rounding=True").Optimizer.StochasticRounding);

    [Theory]
    [MemberData(nameof(Names))]
    public void AnUnknownArgument_IsAnsweredWithTheKnownOnes(string name)
    {
        var fault = Assert.Throws<InvalidOptionsException>(() => Plan("--optimizer_type", name, "--optimizer_args", "weight_decy=1"));
        Assert.Contains("optimizer_args", fault.Message, StringComparison.Ordinal);
        Assert.Contains("weight_decy", fault.Message, StringComparison.Ordinal);
        Assert.Contains("Known are: ", fault.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("SGDNesterov", "", "optimizer_args has no momentum: it is 0.9")]
    [InlineData("SGDNesterov8bit", "weight_decay=0.1", "optimizer_args has no momentum: it is 0.9")]
    [InlineData("AdaFactor", "warmup_init=True relative_step=False", "warmup_init=True, which needs relative_step: it is True")]
    public void WhatIsSetUnasked_IsTold(string name, string arguments, string told) => Assert.Contains(
        Parse(["--optimizer_type", name, .. arguments.Length > 0 ? ["--optimizer_args", .. arguments.Split(' ')] : Array.Empty<string>()])
            .Notes, note => note.Contains(told, StringComparison.Ordinal));

    [Fact]
    public void AMomentumThatIsGiven_IsNotTold() => Assert.DoesNotContain(
        Parse(["--optimizer_type", "SGDNesterov", "--optimizer_args", "momentum=0.8"]).Notes,
        note => note.Contains("momentum", StringComparison.Ordinal));

    [Fact]
    public void TheAdaFactorSchedule_TakesARate()
    {
        var plan = Plan("--optimizer_type", "AdaFactor", "--lr_scheduler", "adafactor:1e-3");
        Assert.Equal(new AdaFactorScheduleOptions { InitialRate = 1e-3 }, plan.Schedule);
        Assert.Equal("adafactor:0.001", plan.Optimizer.ScheduleOf(plan).Name);
        var fault = Assert.Throws<InvalidOptionsException>(() => Plan("--optimizer_type", "AdaFactor", "--lr_scheduler", "adafactor:x"));
        Assert.Contains("no number after the colon", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TheAdaFactorSchedule_HasNoWarmUp() => Assert.Contains("no warm-up", Assert.Throws<InvalidOptionsException>(() =>
        Plan("--optimizer_type", "AdaFactor", "--lr_scheduler", "adafactor", "--lr_warmup_steps", "2")).Message, StringComparison.Ordinal);

    private static TrainingPlan Plan(params string[] options) => Parse(options).Builder.Plan;

    private static RunConfiguration Parse(string[] options) =>
        RunConfiguration.Parse([.. OptionNameTests.Base(RunScript.Network), .. options]);
}
