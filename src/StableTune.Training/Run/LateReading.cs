namespace StableTune.Training;

/// <summary>Numbers on their way from a device to host memory. Asking for them does not wait; reading them waits only for the work that
/// was asked of the device before them.</summary>
internal sealed class LateReading
{
    /// <summary>Stands in host memory until the device has written over it. No loss has this value.</summary>
    private const double NotYet = -1.2345678901234567e308;

    private static readonly Operator Copying = new("aten::copy_");

    private readonly Tensor _host;

    private LateReading(Tensor host) => _host = host;

    /// <summary>Asks for the numbers.</summary>
    /// <param name="numbers">[N], float64, on any device.</param>
    public static LateReading Begin(Tensor numbers)
    {
        using var scope = NewDisposeScope();
        if (numbers.device.type == DeviceType.CPU) return new LateReading(numbers.clone().DetachFromDisposeScope());
        var host = full(numbers.shape, NotYet, dtype: ScalarType.Float64).pin_memory();
        Copying.Do(host, numbers, true);
        return new LateReading(host.DetachFromDisposeScope());
    }

    /// <summary>The numbers, once they are there. To be called once.</summary>
    public double[] Read()
    {
        using (_host)
        {
            double[] values;
            var wait = new SpinWait();
            while (true)
            {
                values = _host.data<double>().ToArray();
                if (!values.Contains(NotYet)) return values;
                wait.SpinOnce();
            }
        }
    }
}
