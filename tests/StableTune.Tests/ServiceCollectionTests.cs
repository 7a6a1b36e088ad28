using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace StableTune.Tests;

/// <summary>StableTune among a host's services.</summary>
public sealed class ServiceCollectionTests
{
    [Fact]
    public void AddStableTune_GivesFreshBuilders_WithTheHostsLoggerAndClock()
    {
        var (loggers, clock) = (new OneLogger(), new ManualClock());
        using var services = new ServiceCollection().AddSingleton<ILoggerFactory>(loggers).AddSingleton<TimeProvider>(clock).AddStableTune().BuildServiceProvider();
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
        using var services = new ServiceCollection().AddStableTune(b => b.WithSeed(++calls).WithModel("models/shared")).BuildServiceProvider();
        Assert.Equal([1, 2], new[] { services.GetRequiredService<TrainerBuilder>(), services.GetRequiredService<TrainerBuilder>() }.Select(b => b.Plan.Seed));
        Assert.Equal("models/shared", services.GetRequiredService<TrainerBuilder>().Plan.ModelPath);
        Assert.Throws<ArgumentNullException>(() => ((IServiceCollection)null!).AddStableTune());
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
