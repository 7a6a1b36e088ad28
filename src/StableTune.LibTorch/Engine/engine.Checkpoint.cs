using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using static StableTune.LibTorch.torch;

namespace StableTune.LibTorch;

public static unsafe partial class engine
{
    /// <summary>
    /// Runs a segment without keeping its activations; the backward pass runs it again, with the default random streams set back to
    /// where they were, so that dropout falls the same way. Trades time for memory.
    /// </summary>
    /// <param name="segment">
    /// A function of its inputs alone (and of parameters, which get their gradients): it runs a second time later, maybe on another
    /// thread, so it must not depend on what changes in between. A random <see cref="Generator"/> of the caller's own is not set back.
    /// </param>
    /// <param name="inputs">What the segment is computed from; those that want gradients get them.</param>
    /// <returns>What the segment returns.</returns>
    /// <remarks>
    /// Gradients of parameters inside the segment accumulate in their <c>grad</c>; <c>autograd.grad</c> with respect to such a parameter
    /// does not see through a checkpoint. Without gradients the segment simply runs.
    /// </remarks>
    /// <exception cref="Exception">Whatever the segment throws, here or in the backward pass.</exception>
    public static Tensor checkpoint(Func<Tensor[], Tensor> segment, params Tensor[] inputs)
    {
        ArgumentNullException.ThrowIfNull(segment);
        ArgumentNullException.ThrowIfNull(inputs);
        if (!is_grad_enabled())
        {
            using var scope = NewDisposeScope();
            return Result(segment, inputs).MoveToOuterDisposeScope();
        }
        var handles = Array.ConvertAll(inputs, input => input.Handle);
        Interlocked.Increment(ref s_segments);
        var context = GCHandle.ToIntPtr(GCHandle.Alloc(segment));   // freed by the graph, through FreeSegment
        nint output;
        fixed (nint* first = handles)
        {
            var run = (nint)(delegate* unmanaged[Cdecl]<nint, nint*, int, nint*, long>)&RunSegment;
            var free = (nint)(delegate* unmanaged[Cdecl]<nint, void>)&FreeSegment;
            Native.Check(Native.st_checkpoint(first, handles.Length, run, free, context, out output), "engine.checkpoint");
        }
        GC.KeepAlive(inputs);
        return new Tensor(output);
    }

    /// <summary>What the segment returns, as an object of its own even when the segment hands back one of its inputs.</summary>
    private static Tensor Result(Func<Tensor[], Tensor> segment, Tensor[] inputs)
    {
        var result = segment(inputs) ?? throw new InvalidOperationException("the segment of a checkpoint returned null");
        return result.alias();
    }

    /// <summary>The segment as libtorch calls it. No exception may leave it: one that happens is kept, and its ticket returned.</summary>
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static long RunSegment(nint context, nint* inputs, int count, nint* output)
    {
        try
        {
            var segment = (Func<Tensor[], Tensor>)GCHandle.FromIntPtr(context).Target!;
            using var scope = NewDisposeScope();
            var borrowed = new Tensor[count];
            for (var k = 0; k < count; k++) borrowed[k] = new Tensor(Native.st_tensor_share(inputs[k]));
            var result = segment(borrowed) ?? throw new InvalidOperationException("the segment of a checkpoint returned null");
            // The result's object goes with the scope, or belongs to whoever took it out of there.
            *output = Native.st_tensor_share(result.Handle);
            GC.KeepAlive(result);
            return 0;
        }
        catch (Exception e)
        {
            return HostExceptions.Keep(e);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void FreeSegment(nint context)
    {
        Interlocked.Decrement(ref s_segments);
        GCHandle.FromIntPtr(context).Free();
    }

    private static long s_segments;

    /// <summary>Segments that some graph still holds.</summary>
    internal static long LiveSegments => Interlocked.Read(ref s_segments);
}
