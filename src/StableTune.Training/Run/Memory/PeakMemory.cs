using StableTune.Torch;

namespace StableTune.Training;

/// <summary>
/// The most memory that a run needs: of the CPU what the system counts by itself, of a GPU what is in use after each step, where libtorch
/// holds what a step needed for the next one.
/// </summary>
/// <param name="device">Where the run takes place.</param>
internal sealed class PeakMemory(Device device) : ITrainingObserver
{
    private long? _gpu;

    /// <summary>Bytes; null where nobody says.</summary>
    public long? Bytes => device.type switch
    {
        DeviceType.CPU => DeviceMemory.PeakOfProcess,
        DeviceType.CUDA => _gpu,
        _ => null,
    };

    /// <inheritdoc/>
    public void OnStep(TrainingProgress progress)
    {
        if (device.type == DeviceType.CUDA && DeviceMemory.UsedOfGpu is { } used) _gpu = Math.Max(_gpu ?? 0, used);
    }
}
