namespace StableTune.LibTorch;

public static partial class torch
{
    public unsafe partial class Tensor
    {
        /// <summary>Whether operations on the tensor are recorded for a gradient. Setting it works on leaves.</summary>
        /// <exception cref="TorchException">The dtype cannot carry gradients, or the tensor is no leaf.</exception>
        public bool requires_grad
        {
            get => Native.st_requires_grad(Handle) != 0;
            set => requires_grad_(value);
        }

        /// <summary>Switches recording on or off for a leaf.</summary>
        /// <returns>This tensor.</returns>
        public Tensor requires_grad_(bool requires_grad = true)
        {
            Native.Check(Native.st_set_requires_grad(Handle, requires_grad ? 1 : 0), $"requires_grad_ of {dtype} [{string.Join(", ", shape)}]");
            return this;
        }

        /// <summary>True for what no recorded operation produced: gradients accumulate in such tensors.</summary>
        public bool is_leaf
        {
            get
            {
                Native.Check(Native.st_is_leaf(Handle, out var leaf), "Tensor.is_leaf");
                GC.KeepAlive(this);
                return leaf != 0;
            }
        }

        /// <summary>The accumulated gradient, a fresh object over the same memory; null when there is none. Set null to drop it.</summary>
        public Tensor? grad
        {
            get
            {
                Native.Check(Native.st_grad(Handle, out var handle), "Tensor.grad");
                GC.KeepAlive(this);
                return handle == 0 ? null : new Tensor(handle);
            }
            set
            {
                Native.Check(Native.st_set_grad(Handle, value?.Handle ?? 0), "Tensor.grad = ...");
                GC.KeepAlive(value);
                GC.KeepAlive(this);
            }
        }

        /// <summary>Keeps the gradient of a tensor that is no leaf.</summary>
        public void retain_grad()
        {
            Native.Check(Native.st_retain_grad(Handle), "Tensor.retain_grad");
            GC.KeepAlive(this);
        }

        /// <summary>Accumulates the gradient of this scalar into the leaves it was computed from.</summary>
        /// <exception cref="TorchException">It is no scalar, or was computed without recording.</exception>
        public void backward() => backward(null);

        /// <summary>Accumulates gradients into the leaves this tensor was computed from.</summary>
        /// <param name="grad_tensor">Gradient of the goal with respect to this tensor, same shape; null for a scalar, meaning 1.</param>
        /// <param name="retain_graph">Keep what was recorded for another pass; null for "as create_graph".</param>
        /// <param name="create_graph">Record the backward pass itself, for higher derivatives.</param>
        /// <param name="inputs">Leaves to accumulate into; null for all.</param>
        public void backward(Tensor? grad_tensor, bool? retain_graph = null, bool create_graph = false, IEnumerable<Tensor>? inputs = null)
        {
            var output = Handle;
            var gradient = grad_tensor?.Handle ?? 0;
            var kept = inputs?.ToArray() ?? [];
            var leaves = Array.ConvertAll(kept, leaf => leaf.Handle);
            fixed (nint* first = leaves)
            {
                var status = Native.st_backward(&output, gradient == 0 ? null : &gradient, 1, first, leaves.Length,
                    retain_graph ?? create_graph ? 1 : 0, create_graph ? 1 : 0);
                Native.Check(status, $"backward of {this}");
            }
            GC.KeepAlive(kept);
            GC.KeepAlive(grad_tensor);
            GC.KeepAlive(this);
        }
    }
}
