using Microsoft.Extensions.Hosting;

namespace StableTune.Hosting;

/// <summary>Works through the queue while the host runs. When it stops, the host waits for the present step and for what is saved, up to
/// its own <c>ShutdownTimeout</c>.</summary>
internal sealed class TrainingQueueService(TrainingQueue queue) : BackgroundService
{
    protected override Task ExecuteAsync(CancellationToken stoppingToken) => queue.RunAsync(stoppingToken);
}
