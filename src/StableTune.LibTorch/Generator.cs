namespace StableTune.LibTorch;

public static partial class torch
{
    /// <summary>
    /// A stream of random numbers. One seed gives one stream. Not thread-safe: give each thread or purpose its own.
    /// </summary>
    public sealed class Generator : IDisposable
    {
        private nint _handle;

        /// <summary>A stream of its own, begun with a seed.</summary>
        /// <param name="seed">Any value; equal seeds give equal streams.</param>
        /// <param name="device">Where the numbers are drawn; null for the CPU.</param>
        public Generator(ulong seed = 0, Device? device = null)
            => Native.Check(Native.st_generator_new(seed, (device ?? CPU).Code, out _handle), "Generator");

        private Generator(nint handle) => _handle = handle;

        internal static Generator DefaultOf(Device device)
        {
            Native.Check(Native.st_generator_default(device.Code, out var handle), "default generator");
            return new(handle);
        }

        internal nint Handle => _handle != 0 ? _handle : throw new ObjectDisposedException(nameof(Generator));

        /// <summary>Where the numbers are drawn.</summary>
        public Device device
        {
            get
            {
                var code = Native.st_generator_device(Handle);
                GC.KeepAlive(this);
                return Device.FromCode(code);
            }
        }

        /// <summary>The seed the stream was begun with.</summary>
        public ulong initial_seed()
        {
            Native.Check(Native.st_generator_initial_seed(Handle, out var seed), "Generator.initial_seed");
            GC.KeepAlive(this);
            return seed;
        }

        /// <summary>Begins the stream anew.</summary>
        /// <returns>This generator.</returns>
        public Generator manual_seed(ulong seed)
        {
            Native.Check(Native.st_generator_seed(Handle, seed), "Generator.manual_seed");
            return this;
        }

        /// <summary>Where the stream stands, as bytes [n]; <see cref="set_state"/> goes back to it.</summary>
        public Tensor get_state()
        {
            Native.Check(Native.st_generator_get_state(Handle, out var state), "Generator.get_state");
            GC.KeepAlive(this);
            return new(state);
        }

        /// <summary>Goes on from where a stream stood.</summary>
        /// <param name="value">What <see cref="get_state"/> gave, byte [n], on the CPU.</param>
        /// <exception cref="TorchException">It is not such a state.</exception>
        public void set_state(Tensor value)
        {
            ArgumentNullException.ThrowIfNull(value);
            Native.Check(Native.st_generator_set_state(Handle, value.Handle), "Generator.set_state");
            GC.KeepAlive(value);
            GC.KeepAlive(this);
        }

        /// <summary>Lets the native generator go.</summary>
        public void Dispose()
        {
            Free();
            GC.SuppressFinalize(this);
        }

        /// <summary>The net under a forgotten <see cref="Dispose"/>.</summary>
        ~Generator() => Free();

        private void Free()
        {
            if (Interlocked.Exchange(ref _handle, 0) is var handle and not 0) Native.st_generator_free(handle);
        }
    }

    /// <summary>The CPU stream that operators draw from when they are given none. Dispose the object; the stream stays.</summary>
    public static Generator default_generator => Generator.DefaultOf(CPU);

    /// <summary>Begins the default streams of all devices anew.</summary>
    /// <returns>The CPU's default stream.</returns>
    public static Generator manual_seed(long seed)
    {
        for (var k = 0; k < cuda.device_count(); k++)
        {
            using var onDevice = Generator.DefaultOf(new Device(DeviceType.CUDA, k));
            onDevice.manual_seed((ulong)seed);
        }
        return default_generator.manual_seed((ulong)seed);
    }
}
