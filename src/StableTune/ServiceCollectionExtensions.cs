using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace StableTune;

/// <summary>Registers StableTune with a host's services.</summary>
public static class ServiceCollectionExtensions
{
    /// <summary>
    /// Makes <see cref="TrainerBuilder"/> resolvable: each request gives a fresh builder that logs to the host's
    /// <see cref="ILoggerFactory"/> and reads the host's <see cref="TimeProvider"/>, where these are registered.
    /// </summary>
    /// <param name="services">The host's services.</param>
    /// <param name="configure">Called on every fresh builder, for what all runs of the host share.</param>
    public static IServiceCollection AddStableTune(this IServiceCollection services, Action<TrainerBuilder>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        return services.AddTransient(provider =>
        {
            var builder = new TrainerBuilder();
            if (provider.GetService<ILoggerFactory>() is { } loggers) builder.WithLogger(loggers.CreateLogger<Trainer>());
            if (provider.GetService<TimeProvider>() is { } clock) builder.WithClock(clock);
            configure?.Invoke(builder);
            return builder;
        });
    }
}
