using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace StableTune.Torch;

/// <summary>Tensors over memory that somebody else owns, such as a mapped file.</summary>
public static unsafe class MappedMemory
{
    /// <summary>What to do when no tensor refers to an address any more; the same address may be given several times.</summary>
    private static readonly ConcurrentDictionary<nint, ConcurrentStack<Action>> s_releases = new();

    /// <summary>Makes a CPU tensor of memory without a copy.</summary>
    /// <param name="data">Address of the first element, a multiple of the element's size; the memory must stay until <paramref name="release"/> is called.</param>
    /// <param name="shape">Sizes of all dimensions; the elements are contiguous, and there is at least one.</param>
    /// <param name="dtype">Type of the elements.</param>
    /// <param name="release">Called once, on any thread, when no tensor refers to the memory any more; also when this call fails.</param>
    /// <returns>A tensor of the shape, registered with the current dispose scope.</returns>
    /// <exception cref="ArgumentException">The address is not aligned, or the shape holds no elements.</exception>
    public static Tensor ToTensor(nint data, long[] shape, ScalarType dtype, Action release)
    {
        ArgumentNullException.ThrowIfNull(shape);
        ArgumentNullException.ThrowIfNull(release);
        var count = shape.Aggregate(1L, (product, n) => checked(product * n));
        var size = dtype.ElementSize();
        if (count <= 0 || data == 0 || data % size != 0)
        {
            release();
            throw new ArgumentException($"a tensor of {dtype} [{string.Join(", ", shape)}] cannot lie at address {data:x}: it needs elements, and an address that is a multiple of {size}");
        }

        s_releases.GetOrAdd(data, _ => new ConcurrentStack<Action>()).Push(release);
        var handle = LibTorchSharp.THSTensor_frombuffer(
            data, &Release, count, 0, (sbyte)dtype, (sbyte)dtype, (int)DeviceType.CPU, -1, requiresGrad: 0);
        if (handle == 0)
        {
            Call(data);
            CheckForErrors();
        }

        using var flat = Tensor.UnsafeCreateTensor(handle);
        return flat.view(shape);
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Release(nint data) => Call(data);

    private static void Call(nint data)
    {
        if (!s_releases.TryGetValue(data, out var stack) || !stack.TryPop(out var release)) return;
        try
        {
            release();
        }
        catch (Exception e)
        {
            // There is no caller to tell: the last tensor may have gone anywhere, even on the finalizer's thread.
            Environment.FailFast("The release of a mapped tensor's memory threw an exception.", e);
        }
    }
}
