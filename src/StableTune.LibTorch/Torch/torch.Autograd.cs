namespace StableTune.LibTorch;

public static partial class torch
{
    /// <summary>Switches recording for gradients off on this thread until disposed.</summary>
    public static IDisposable no_grad() => new GradMode(false);

    /// <summary>Switches recording for gradients on (or off) on this thread until disposed.</summary>
    public static IDisposable enable_grad(bool enabled = true) => new GradMode(enabled);

    /// <summary>Switches recording for gradients on or off on this thread until disposed.</summary>
    public static IDisposable set_grad_enabled(bool mode = true) => new GradMode(mode);

    /// <summary>Whether this thread records operations for gradients.</summary>
    public static bool is_grad_enabled() => Native.st_grad_enabled() != 0;

    /// <summary>Like <see cref="no_grad"/> and cheaper still, but what is computed inside can never take part in a gradient.</summary>
    public static IDisposable inference_mode(bool mode = true) => new InferenceMode(mode);

    /// <summary>Whether this thread is in inference mode.</summary>
    public static bool is_inference_mode_enabled() => Native.st_inference_enabled() != 0;

    /// <summary>Puts the switch back to where it was.</summary>
    private sealed class GradMode : IDisposable
    {
        private readonly bool _before = is_grad_enabled();
        private bool _closed;

        internal GradMode(bool enabled) => Native.st_set_grad_enabled(enabled ? 1 : 0);

        public void Dispose()
        {
            if (_closed) return;
            _closed = true;
            Native.st_set_grad_enabled(_before ? 1 : 0);
        }
    }

    private sealed class InferenceMode(bool mode) : IDisposable
    {
        private nint _guard = Native.st_inference_enter(mode ? 1 : 0);

        public void Dispose()
        {
            if (_guard != 0) Native.st_inference_leave(_guard);
            _guard = 0;
        }
    }

    /// <summary>Gradients without accumulating them.</summary>
    public static unsafe class autograd
    {
        /// <summary>Gradients of the sum of outputs with respect to inputs.</summary>
        /// <param name="outputs">What to differentiate; scalars, unless <paramref name="grad_outputs"/> is given.</param>
        /// <param name="inputs">With respect to what.</param>
        /// <param name="grad_outputs">One gradient for each output, of its shape; null means 1.</param>
        /// <param name="retain_graph">Keep what was recorded for another pass.</param>
        /// <param name="create_graph">Record the backward pass itself, for higher derivatives.</param>
        /// <param name="allow_unused">Give null for an input that no output depends on, instead of failing.</param>
        /// <returns>One gradient for each input, of its shape.</returns>
        /// <exception cref="TorchException">An output was computed without recording, or an input is unused.</exception>
        public static IList<Tensor> grad(IEnumerable<Tensor> outputs, IEnumerable<Tensor> inputs, IEnumerable<Tensor>? grad_outputs = null,
            bool retain_graph = false, bool create_graph = false, bool allow_unused = false)
        {
            Tensor[] from = [.. outputs], to = [.. inputs], seeds = grad_outputs is null ? [] : [.. grad_outputs];
            if (seeds.Length != 0 && seeds.Length != from.Length)
                throw new ArgumentException($"{seeds.Length} gradients for {from.Length} outputs", nameof(grad_outputs));
            var results = new nint[to.Length];
            fixed (nint* outs = Handles(from), ins = Handles(to), gradients = Handles(seeds), first = results)
            {
                var status = Native.st_autograd_grad(outs, gradients, from.Length, ins, to.Length,
                    retain_graph || create_graph ? 1 : 0, create_graph ? 1 : 0, allow_unused ? 1 : 0, first);
                Native.Check(status, "autograd.grad");
            }
            GC.KeepAlive((from, to, seeds));
            return Array.ConvertAll(results, handle => handle == 0 ? null! : new Tensor(handle));
        }

        private static nint[] Handles(Tensor[] tensors) => Array.ConvertAll(tensors, tensor => tensor.Handle);
    }
}
