using System.Globalization;

namespace StableTune.LibTorch;

/// <summary>Kinds of devices. The numbers are libtorch's own.</summary>
public enum DeviceType
{
    /// <summary>The processor and its memory.</summary>
    CPU = 0,

    /// <summary>An NVIDIA GPU (or an AMD one under ROCm).</summary>
    CUDA = 1,

    /// <summary>Apple's Metal.</summary>
    MPS = 13,

    /// <summary>Shapes and types without any memory.</summary>
    META = 14,
}

public static partial class torch
{
    /// <summary>The processor.</summary>
    public static Device CPU { get; } = new(DeviceType.CPU, -1);

    /// <summary>The current GPU.</summary>
    public static Device CUDA { get; } = new(DeviceType.CUDA, -1);

    /// <summary>No memory at all: operators work out shapes and types only.</summary>
    public static Device META { get; } = new(DeviceType.META, -1);

    /// <summary>A device by name: <c>cpu</c>, <c>cuda</c>, <c>cuda:1</c>, <c>mps</c>, <c>meta</c>.</summary>
    /// <exception cref="ArgumentException">The name is none of these.</exception>
    public static Device device(string description) => new(description);

    /// <summary>A device by kind and index; -1 stands for the current one of its kind.</summary>
    public static Device device(DeviceType type, int index = -1) => new(type, index);

    /// <summary>Where a tensor lives.</summary>
    public sealed class Device : IEquatable<Device>
    {
        /// <summary>A device by kind and index; -1 stands for the current one of its kind.</summary>
        public Device(DeviceType type, int index = -1) => (this.type, this.index) = (type, index);

        /// <summary>A device by name: <c>cpu</c>, <c>cuda</c>, <c>cuda:1</c>, <c>mps</c>, <c>meta</c>.</summary>
        /// <exception cref="ArgumentException">The name is none of these.</exception>
        public Device(string description)
        {
            var parts = description.Split(':');
            var parsedIndex = -1;
            if (parts.Length > 2 || !Enum.TryParse<DeviceType>(parts[0], ignoreCase: true, out var parsed) || char.IsDigit(parts[0][0])
                || (parts.Length == 2 && !int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out parsedIndex)))
            {
                throw new ArgumentException($"device is \"{description}\": use cpu, cuda, cuda:<index>, mps or meta", nameof(description));
            }
            (type, index) = (parsed, parsedIndex);
        }

        internal static Device FromCode(long code)
            => code == 0x00ff ? CPU : new((DeviceType)(code >> 8), (sbyte)(code & 0xff));

        /// <summary>type * 256 + index, as the shim wants it.</summary>
        internal long Code => ((long)type << 8) | (byte)(sbyte)index;

        /// <summary>Kind of the device.</summary>
        public DeviceType type { get; }

        /// <summary>Number among devices of its kind, or -1 for the current one.</summary>
        public int index { get; }

        /// <summary>A device by name, so that options can hold <c>"cuda:1"</c>.</summary>
        public static implicit operator Device(string description) => new(description);

        /// <inheritdoc/>
        public bool Equals(Device? other) => other is not null && type == other.type && index == other.index;

        /// <inheritdoc/>
        public override bool Equals(object? obj) => Equals(obj as Device);

        /// <inheritdoc/>
        public override int GetHashCode() => HashCode.Combine(type, index);

        /// <summary>Same kind and same index.</summary>
        public static bool operator ==(Device? left, Device? right) => Equals(left, right);

        /// <summary>Another kind or another index.</summary>
        public static bool operator !=(Device? left, Device? right) => !Equals(left, right);

        /// <summary>The name that <see cref="Device(string)"/> reads.</summary>
        public override string ToString()
        {
            var name = type.ToString().ToLowerInvariant();
            return index < 0 ? name : FormattableString.Invariant($"{name}:{index}");
        }
    }
}
