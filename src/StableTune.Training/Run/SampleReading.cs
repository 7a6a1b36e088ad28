using StableTune.Data;

namespace StableTune.Training;

/// <summary>The losses of a batch's samples on their way from the device.</summary>
internal sealed class SampleReading
{
    private readonly string[] _images;
    private readonly Func<double[]> _numbers;

    private SampleReading(string[] images, Func<double[]> numbers, int timestepCount) =>
        (_images, _numbers, TimestepCount) = (images, numbers, timestepCount);

    /// <summary>The timesteps that there are.</summary>
    public int TimestepCount { get; }

    /// <summary>Asks for the numbers; nothing waits for them.</summary>
    public static SampleReading Begin(SampleLosses samples, Batch batch)
    {
        using var scope = NewDisposeScope();
        var numbers = cat([samples.Losses.to(ScalarType.Float64), samples.Timesteps.to(samples.Losses.device).to(ScalarType.Float64)], 0L);
        string[] images = [.. batch.Items.Select(item => item.Path)];
        if (numbers.device.type != DeviceType.CPU) return new SampleReading(images, LateReading.Begin(numbers).Read, samples.TimestepCount);
        var read = numbers.data<double>().ToArray();
        return new SampleReading(images, () => read, samples.TimestepCount);
    }

    /// <summary>The losses, once they are there. To be called once.</summary>
    public IEnumerable<SampleLoss> Read()
    {
        var numbers = _numbers();
        var count = numbers.Length / 2;
        return Enumerable.Range(0, count)
            .Select(i => new SampleLoss(i < _images.Length ? _images[i] : "", (int)numbers[count + i], numbers[i]));
    }
}
