using System.Globalization;

namespace StableTune;

public sealed partial class TrainerBuilder
{
    /// <summary>Where the run takes place; the first CUDA device if there is one, else the CPU, when not set.</summary>
    public TrainerBuilder On(Device device) =>
        Set(_plan with { Device = Given(device), Distributed = _plan.Distributed with { Devices = [] } });

    /// <summary>Several devices that share each step's batch: each has a copy of the model, and as many images of a step as the batch size
    /// says.</summary>
    /// <param name="devices">At least one; a device may be named twice, which only tests do.</param>
    public TrainerBuilder On(params IReadOnlyList<Device> devices)
    {
        ArgumentNullException.ThrowIfNull(devices);
        return devices.Count switch
        {
            0 => throw new ArgumentException("No device is named: give at least one.", nameof(devices)),
            1 => On(devices[0]),
            _ => Set(_plan with { Device = devices[0], Distributed = _plan.Distributed with { Devices = [.. devices] } }),
        };
    }

    /// <summary>Where the run takes place, by name: one device, or several that share each step's batch.</summary>
    /// <param name="device">"cpu", "cuda", "cuda:0", "mps"; several with commas: "cuda:0,1,2,3" or "cuda:0,cuda:1".</param>
    /// <exception cref="ArgumentException">There is no such kind of device.</exception>
    public TrainerBuilder On(string device)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(device);
        List<Device> devices = [];
        DeviceType? kind = null;
        foreach (var name in device.Split(',', StringSplitOptions.TrimEntries))
        {
            var isNumber = int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out var number);
            if (isNumber && kind is (DeviceType.CUDA or DeviceType.MPS) and var same) devices.Add(new Device(same, number));
            else devices.Add(DeviceOf(name, device));
            kind = devices[^1].type;
        }

        return On(devices);
    }

    /// <summary>
    /// Trains together with other processes, which run the same program with the same options: each step's batch is shared by all. Only the
    /// first saves and logs.
    /// </summary>
    /// <param name="processes">How they find each other; null for what the program that started them says in its environment
    /// (<see cref="ProcessOptions.FromEnvironment"/>), where it started several.</param>
    /// <exception cref="InvalidOptionsException">The environment says something that cannot be.</exception>
    public TrainerBuilder WithProcesses(ProcessOptions? processes = null) =>
        WithDistributed(distributed => distributed with { Processes = processes ?? ProcessOptions.FromEnvironment() });

    /// <summary>Changes options of several devices and processes.</summary>
    /// <param name="change">For instance <c>distributed => distributed with { Timeout = TimeSpan.FromHours(1) }</c>.</param>
    public TrainerBuilder WithDistributed(Func<DistributedOptions, DistributedOptions> change) =>
        Set(_plan with { Distributed = Given(change)(_plan.Distributed) });

    private static Device DeviceOf(string name, string all)
    {
        var (kind, index) = name.Split(':') is [var type, var number] && int.TryParse(number, out var place) && place >= 0
            ? (type, place) : (name, -1);
        return kind.ToLowerInvariant() switch
        {
            "cpu" => CPU,
            "cuda" => new Device(DeviceType.CUDA, index),
            "mps" => new Device(DeviceType.MPS, index),
            _ => throw new ArgumentException($"\"{name}\" is no device: \"cpu\", \"cuda\", \"cuda:0\" and \"mps\" are known, several with "
                + $"commas: \"cuda:0,1\".{(name == all ? "" : $" It stands in \"{all}\".")}", nameof(name)),
        };
    }
}
