using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using StableTune;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers StableTune with a host's services.</summary>
public static class StableTuneServiceCollectionExtensions
{
    /// <summary>
    /// Makes <see cref="TrainerBuilder"/> resolvable: each request gives a fresh builder that logs to the host's
    /// <see cref="ILoggerFactory"/> and reads the host's <see cref="TimeProvider"/>, where these are registered. A builder that was
    /// registered before stays.
    /// </summary>
    /// <param name="services">The host's services.</param>
    /// <param name="configure">Called on every fresh builder, for what all runs of the host share; goes before
    /// <see cref="StableTuneOptions"/>.</param>
    public static IServiceCollection AddStableTune(this IServiceCollection services, Action<TrainerBuilder>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.AddOptions<StableTuneOptions>();
        services.TryAddTransient(provider =>
        {
            var builder = new TrainerBuilder();
            if (provider.GetService<ILoggerFactory>() is { } loggers) builder.WithLogger(loggers.CreateLogger<Trainer>());
            if (provider.GetService<TimeProvider>() is { } clock) builder.WithClock(clock);
            provider.GetRequiredService<IOptions<StableTuneOptions>>().Value.ApplyTo(builder);
            configure?.Invoke(builder);
            return builder;
        });
        return services;
    }

    /// <summary>Registers <see cref="TrainerBuilder"/> with what all runs share taken from the host's configuration.</summary>
    /// <param name="services">The host's services.</param>
    /// <param name="configuration">The section, for instance <c>configuration.GetSection("StableTune")</c>; see
    /// <see cref="StableTuneOptions"/>.</param>
    /// <param name="configure">Called on every fresh builder; goes before the configuration.</param>
    public static IServiceCollection AddStableTune(
        this IServiceCollection services, IConfiguration configuration, Action<TrainerBuilder>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        services.AddStableTune(configure);
        services.Configure<StableTuneOptions>(configuration);
        return services;
    }
}
