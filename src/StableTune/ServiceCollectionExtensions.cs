using System.Diagnostics.Metrics;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using StableTune;
using StableTune.Hosting;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers StableTune with a host's services.</summary>
public static class StableTuneServiceCollectionExtensions
{
    /// <summary>
    /// Makes <see cref="TrainerBuilder"/> resolvable: each request gives a fresh builder that logs to the host's
    /// <see cref="ILoggerFactory"/>, tells its numbers to the host's <see cref="IMeterFactory"/> and reads the host's
    /// <see cref="TimeProvider"/>, where these are registered. A builder that was registered before stays.
    /// </summary>
    /// <param name="services">The host's services.</param>
    /// <param name="configure">Called on every fresh builder, for what all runs of the host share; goes before
    /// <see cref="StableTuneOptions"/>.</param>
    public static IServiceCollection AddStableTune(this IServiceCollection services, Action<TrainerBuilder>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.AddValidated(Options.Options.DefaultName);
        services.TryAddTransient(provider => Fresh(provider, Options.Options.DefaultName, configure));
        return services;
    }

    /// <summary>Registers <see cref="TrainerBuilder"/> with what all runs share taken from the host's configuration.</summary>
    /// <param name="services">The host's services.</param>
    /// <param name="configuration">The section, for instance <c>configuration.GetSection("StableTune")</c>; see
    /// <see cref="StableTuneOptions"/>. A key that is not known, and a value that cannot work, end the start of the host.</param>
    /// <param name="configure">Called on every fresh builder; goes before the configuration.</param>
    public static IServiceCollection AddStableTune(
        this IServiceCollection services, IConfiguration configuration, Action<TrainerBuilder>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        services.AddStableTune(configure);
        services.Configure<StableTuneOptions>(configuration, IsStrict);
        return services;
    }

    /// <summary>
    /// Registers <see cref="TrainerBuilder"/> under a name, with options of its own, for hosts that train several kinds of models:
    /// <c>[FromKeyedServices("sdxl")] TrainerBuilder builder</c>.
    /// </summary>
    /// <param name="services">The host's services.</param>
    /// <param name="name">The name.</param>
    /// <param name="configuration">The section of this name's options.</param>
    /// <param name="configure">Called on every fresh builder; goes before the configuration.</param>
    public static IServiceCollection AddStableTune(
        this IServiceCollection services, string name, IConfiguration configuration, Action<TrainerBuilder>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        ArgumentNullException.ThrowIfNull(configuration);
        services.AddValidated(name).Bind(configuration, IsStrict);
        services.TryAddKeyedTransient(name, (provider, _) => Fresh(provider, name, configure));
        return services;
    }

    /// <summary>
    /// Registers a <see cref="TrainingQueue"/> and the background service that works through it. Needs <c>AddStableTune</c> too.
    /// </summary>
    /// <param name="services">The host's services.</param>
    /// <param name="configure">Says how many trainings run at once, wait, and are remembered.</param>
    public static IServiceCollection AddTrainingQueue(this IServiceCollection services, Action<TrainingQueueOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.TryAddEnumerable(
            ServiceDescriptor.Singleton<IValidateOptions<TrainingQueueOptions>, TrainingQueueOptionsValidation>());
        services.AddOptions<TrainingQueueOptions>().Configure(options => configure?.Invoke(options)).ValidateOnStart();
        services.TryAddSingleton<TrainingQueue>();
        services.AddHostedService<TrainingQueueService>();
        return services;
    }

    private static OptionsBuilder<StableTuneOptions> AddValidated(this IServiceCollection services, string name)
    {
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<StableTuneOptions>, StableTuneOptionsValidation>());
        return services.AddOptions<StableTuneOptions>(name).ValidateOnStart();
    }

    private static void IsStrict(BinderOptions binder) => binder.ErrorOnUnknownConfiguration = true;

    private static TrainerBuilder Fresh(IServiceProvider provider, string name, Action<TrainerBuilder>? configure)
    {
        var builder = new TrainerBuilder();
        if (provider.GetService<ILoggerFactory>() is { } loggers) builder.WithLogger(loggers.CreateLogger<Trainer>());
        if (provider.GetService<IMeterFactory>() is { } meters) builder.WithMeters(meters);
        if (provider.GetService<TimeProvider>() is { } clock) builder.WithClock(clock);
        // The monitor's, so that a configuration that was changed holds from the next run on.
        provider.GetRequiredService<IOptionsMonitor<StableTuneOptions>>().Get(name).ApplyTo(builder);
        configure?.Invoke(builder);
        return builder;
    }
}
