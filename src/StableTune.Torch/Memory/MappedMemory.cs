using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using StableTune.Torch.Loading;

namespace StableTune.Torch;

/// <summary>Tensors over memory that somebody else owns, such as a mapped file.</summary>
public static unsafe class MappedMemory
{
    private static readonly Lock s_gate = new();

    /// <summary>What to do when no tensor refers to an address any more; the same address may be given several times.</summary>
    private static readonly Dictionary<nint, Stack<Owner>> s_releases = [];

    /// <summary>Who is told, and how many bytes of a file's pages nobody needs then.</summary>
    private readonly record struct Owner(Action Release, long FileBytes);

    /// <summary>How many addresses tensors refer to.</summary>
    internal static int Addresses { get { lock (s_gate) return s_releases.Count; } }

    /// <summary>Makes a CPU tensor of memory without a copy.</summary>
    /// <param name="data">Address of the first element, a multiple of the element's size; the memory must stay until
    /// <paramref name="release"/> is called.</param>
    /// <param name="shape">Sizes of all dimensions; the elements are contiguous, and there is at least one.</param>
    /// <param name="dtype">Type of the elements.</param>
    /// <param name="release">Called once, on any thread, when no tensor refers to the memory any more; also when this call fails.</param>
    /// <param name="isFile">Whether the memory is a private mapping of a file. Its pages then leave memory when the last tensor there goes,
    /// also where the file stays mapped for others (on Linux).</param>
    /// <returns>A tensor of the shape, registered with the current dispose scope.</returns>
    /// <exception cref="ArgumentException">The address is not aligned, or the shape holds no elements.</exception>
    /// <exception cref="OverflowException">The shape holds more elements than can be counted.</exception>
    public static Tensor ToTensor(nint data, long[] shape, ScalarType dtype, Action release, bool isFile = false)
    {
        ArgumentNullException.ThrowIfNull(release);
        long count;
        try
        {
            count = Count(data, shape, dtype);
        }
        catch
        {
            release();
            throw;
        }

        lock (s_gate)
        {
            if (!s_releases.TryGetValue(data, out var stack)) s_releases.Add(data, stack = []);
            stack.Push(new Owner(release, isFile ? count * dtype.ElementSize() : 0));
        }

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

    /// <summary>The number of elements, where they can lie at the address.</summary>
    private static long Count(nint data, long[] shape, ScalarType dtype)
    {
        ArgumentNullException.ThrowIfNull(shape);
        var (count, size) = (shape.Aggregate(1L, (product, n) => checked(product * n)), dtype.ElementSize());
        return count > 0 && shape.All(n => n > 0) && data != 0 && data % size == 0
            ? count
            : throw new ArgumentException(
                $"a tensor of {dtype} [{string.Join(", ", shape)}] cannot lie at address {data:x}: "
                + $"it needs elements, and an address that is a multiple of {size}");
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Release(nint data) => Call(data);

    private static void Call(nint data)
    {
        Owner owner;
        lock (s_gate)
        {
            if (!s_releases.TryGetValue(data, out var stack) || !stack.TryPop(out owner)) return;
            if (stack.Count == 0)
            {
                s_releases.Remove(data);
                // In the lock: nobody makes another tensor there meanwhile.
                if (owner.FileBytes > 0 && OperatingSystem.IsLinux()) LetGo(data, owner.FileBytes);
            }
        }

        try
        {
            owner.Release();
        }
        catch (Exception e)
        {
            // There is no caller to tell: the last tensor may have gone anywhere, even on the finalizer's thread.
            Environment.FailFast("The release of a mapped tensor's memory threw an exception.", e);
        }
    }

    /// <summary>Drops the pages that lie wholly inside: their neighbours belong to others.</summary>
    private static void LetGo(nint data, long bytes)
    {
        var page = Environment.SystemPageSize;
        var (from, to) = ((data + page - 1) / page * page, (nint)((data + bytes) / page * page));
        // Advice: where it is not taken, the pages stay.
        if (to > from) _ = SystemCalls.Advise(from, (nuint)(to - from), SystemCalls.NotNeeded);
    }
}
