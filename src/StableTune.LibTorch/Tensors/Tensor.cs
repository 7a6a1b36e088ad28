using System.Diagnostics;

namespace StableTune.LibTorch;

public static partial class torch
{
    /// <summary>
    /// An array of numbers of one type, of any number of dimensions, on one device. A tensor holds native memory: it is disposed by
    /// its <see cref="DisposeScope"/>, or by the caller when there is none.
    /// </summary>
    public unsafe partial class Tensor : IDisposable
    {
        private static long s_live;
        private static long s_finalized;
        private nint _handle;
        internal DisposeScope? Scope;
        internal Tensor? PreviousInScope, NextInScope;

        /// <summary>Takes over a native reference and joins the current scope.</summary>
        internal Tensor(nint handle) : this(handle, DisposeScope.Current) { }

        /// <summary>Takes over a native reference and joins a scope; null to stay out of all.</summary>
        internal Tensor(nint handle, DisposeScope? scope)
        {
            Debug.Assert(handle != 0, "an undefined tensor must become null");
            _handle = handle;
            Interlocked.Increment(ref s_live);
            scope?.Add(this);
        }

        /// <summary>A second owner of the same native tensor, outside every scope: for classes derived from it.</summary>
        protected Tensor(Tensor source) : this(Native.st_tensor_share(NotNull(source).Handle), null) => GC.KeepAlive(source);

        private static Tensor NotNull(Tensor tensor) => tensor ?? throw new ArgumentNullException(nameof(tensor));

        /// <summary>Tensor objects that were created and not yet disposed.</summary>
        internal static long Live => Interlocked.Read(ref s_live);

        /// <summary>Tensors that nobody disposed and the garbage collector found.</summary>
        internal static long Finalized => Interlocked.Read(ref s_finalized);

        /// <summary>The native tensor. It lives as long as this object is not disposed.</summary>
        /// <exception cref="ObjectDisposedException">The tensor was disposed.</exception>
        internal nint Handle => _handle != 0 ? _handle : throw DisposedException();

        private static ObjectDisposedException DisposedException() => new(nameof(Tensor),
            "This tensor was disposed, most often by the scope in which it was created. Call MoveToOuterDisposeScope() on what a method returns.");

        /// <summary>True after <see cref="Dispose()"/>; such a tensor can no longer be used.</summary>
        public bool IsInvalid => _handle == 0;

        /// <summary>Lets the native tensor go. Doing it twice does nothing.</summary>
        public void Dispose()
        {
            Scope?.Remove(this);
            Free();
            GC.SuppressFinalize(this);
        }

        /// <summary>A net only: memory that waits for the garbage collector is memory that training runs out of.</summary>
        ~Tensor()
        {
            if (_handle == 0) return;
            Interlocked.Increment(ref s_finalized);
            Debug.WriteLine($"A tensor of shape [{string.Join(", ", shape)}] was never disposed: open a dispose scope where it is created.");
            Free();
        }

        private void Free()
        {
            if (Interlocked.Exchange(ref _handle, 0) is not (var handle and not 0)) return;
            Native.st_tensor_free(handle);
            Interlocked.Decrement(ref s_live);
        }

        /// <summary>Hands the tensor to the scope around the one that holds it now.</summary>
        /// <returns>This tensor.</returns>
        public Tensor MoveToOuterDisposeScope()
        {
            Scope?.MoveToOuter<Tensor>(this);
            return this;
        }

        /// <summary>Takes the tensor out of every scope: from now on the caller must dispose it.</summary>
        /// <returns>This tensor.</returns>
        public Tensor DetachFromDisposeScope()
        {
            Scope?.Detach<Tensor>(this);
            return this;
        }

        /// <summary>dtype, shape and device in a few words, such as <c>Float32 [2, 3] on cpu</c>.</summary>
        public override string ToString()
            => _handle == 0 ? "disposed tensor" : $"{dtype} [{string.Join(", ", shape)}] on {device}{(requires_grad ? ", requires_grad" : "")}";
    }
}
