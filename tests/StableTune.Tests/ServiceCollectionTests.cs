using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace StableTune.Tests;

/// <summary>StableTune among a host's services.</summary>
public sealed class ServiceCollectionTests
{
    [Fact]
    public void AddStableTune_GivesFreshBuilders_WithTheHostsLoggerAndClock()
    {
        var (loggers, clock) = (new OneLogger(), new ManualClock());
        using var services = new ServiceCollection().AddSingleton<ILoggerFactory>(loggers).AddSingleton<TimeProvider>(clock)
            .AddStableTune().BuildServiceProvider();
        var (first, second) = (services.GetRequiredService<TrainerBuilder>(), services.GetRequiredService<TrainerBuilder>());
        Assert.NotSame(first, second);
        Assert.Same(clock, first.Plan.Clock);
        first.Plan.Logger!.LogInformation("to the host");
        Assert.Equal("to the host", Assert.Single(loggers.Logger.Entries).Text);
        Assert.Equal("StableTune.Trainer", loggers.Category);
        first.WithSeed(7);
        Assert.Equal(42, second.Plan.Seed);
    }

    [Fact]
    public void AddStableTune_WithoutLoggerAndClock_TakesTheSystems()
    {
        using var services = new ServiceCollection().AddStableTune().BuildServiceProvider();
        var plan = services.GetRequiredService<TrainerBuilder>().Plan;
        Assert.Null(plan.Logger);
        Assert.Same(TimeProvider.System, plan.Clock);
    }

    [Fact]
    public void AddStableTune_Configure_IsCalledOnEachBuilder()
    {
        var calls = 0;
        using var services = new ServiceCollection().AddStableTune(b => b.WithSeed(++calls).WithModel("models/shared"))
            .BuildServiceProvider();
        Assert.Equal([1, 2], new[] { services.GetRequiredService<TrainerBuilder>(), services.GetRequiredService<TrainerBuilder>() }.Select(
            b => b.Plan.Seed));
        Assert.Equal("models/shared", services.GetRequiredService<TrainerBuilder>().Plan.ModelPath);
        Assert.Throws<ArgumentNullException>(() => ((IServiceCollection)null!).AddStableTune());
    }

    [Fact]
    public void AddStableTune_Configuration_SetsWhatItSays_BeforeTheHostsCode()
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["StableTune:Model"] = "models/shared", ["StableTune:Device"] = "cpu", ["StableTune:Precision"] = "BFloat16",
            ["StableTune:Seed"] = "7",
            ["StableTune:LearningRate"] = "5e-5", ["StableTune:Workers"] = "3", ["StableTune:CacheDirectory"] = "cache",
            ["StableTune:GradientCheckpointing"] = "true",
        }).Build();
        using var services = new ServiceCollection().AddStableTune(configuration.GetSection("StableTune"), builder => builder.WithSeed(8))
            .BuildServiceProvider();
        var plan = services.GetRequiredService<TrainerBuilder>().Plan;
        Assert.Equal(("models/shared", PrecisionPolicy.BFloat16, 8, 5e-5, 3),
            (plan.ModelPath, plan.Precision, plan.Seed, plan.LearningRate, plan.Loader.Workers));
        Assert.Equal((DeviceType.CPU, "cache", true, true),
            (plan.Device!.type, plan.Cache.Directory, plan.Cache.LatentsToDisk, plan.GradientCheckpointing));
    }

    [Fact]
    public void AddStableTune_OptionsThatCannotWork_AreNamedAllAtOnce()
    {
        using var services = new ServiceCollection().AddStableTune().Configure<StableTuneOptions>(options =>
        {
            (options.Precision, options.Device, options.Model) = ((NumberFormat)99, "tpu", " ");
            (options.LearningRate, options.Workers, options.CacheDirectory, options.Vae) = (double.NaN, -1, "", "");
        }).BuildServiceProvider();
        var error = Assert.Throws<OptionsValidationException>(() => services.GetRequiredService<TrainerBuilder>());
        Assert.Equal(7, error.Failures.Count());
        Assert.Contains("StableTuneOptions.Device is \"tpu\": there is no such device.", error.Message);
        // A host that starts is told, before any run.
        Assert.Throws<OptionsValidationException>(() => services.GetRequiredService<IStartupValidator>().Validate());
    }

    [Fact]
    public void AddStableTune_AKeyThatIsNotKnown_IsNamed()
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection([new("StableTune:Modell", "models/sd15")]).Build();
        using var services = new ServiceCollection().AddStableTune(configuration.GetSection("StableTune")).BuildServiceProvider();
        var error = Assert.Throws<InvalidOperationException>(() => services.GetRequiredService<TrainerBuilder>());
        Assert.Contains("Modell", error.Message);
    }

    [Fact]
    public void AddStableTune_ByName_HasOptionsOfItsOwn()
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(
            [new("StableTune:Model", "models/sd15"), new("Xl:Model", "models/sdxl"), new("Xl:Seed", "3")]).Build();
        using var services = new ServiceCollection().AddStableTune(configuration.GetSection("StableTune"))
            .AddStableTune("xl", configuration.GetSection("Xl"), builder => builder.WithBatchSize(2)).BuildServiceProvider();
        var named = services.GetRequiredKeyedService<TrainerBuilder>("xl").Plan;
        Assert.Equal(("models/sdxl", 3, 2), (named.ModelPath, named.Seed, named.Dataset.Options.BatchSize));
        Assert.Equal("models/sd15", services.GetRequiredService<TrainerBuilder>().Plan.ModelPath);
        Assert.Throws<InvalidOperationException>(() => services.GetRequiredKeyedService<TrainerBuilder>("other"));
    }

    [Fact]
    public void AddStableTune_AChangedConfiguration_HoldsFromTheNextBuilderOn()
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection([new("StableTune:Seed", "1")]).Build();
        using var services = new ServiceCollection().AddStableTune(configuration.GetSection("StableTune")).BuildServiceProvider();
        var before = services.GetRequiredService<TrainerBuilder>();
        configuration["StableTune:Seed"] = "2";
        ((IConfigurationRoot)configuration).Reload();
        Assert.Equal((1, 2), (before.Plan.Seed, services.GetRequiredService<TrainerBuilder>().Plan.Seed));
    }

    [Fact]
    public void AddStableTune_AfterABuilderOfTheHosts_LeavesThatOne()
    {
        using var services = new ServiceCollection().AddTransient(_ => new TrainerBuilder().WithSeed(99)).AddStableTune()
            .BuildServiceProvider();
        Assert.Equal(99, services.GetRequiredService<TrainerBuilder>().Plan.Seed);
    }

    private sealed class OneLogger : ILoggerFactory
    {
        public ListLogger Logger { get; } = new();

        public string? Category { get; private set; }

        public ILogger CreateLogger(string categoryName)
        {
            Category = categoryName;
            return Logger;
        }

        public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException();

        public void Dispose() { }
    }
}
