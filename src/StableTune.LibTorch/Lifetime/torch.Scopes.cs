namespace StableTune.LibTorch;

public static partial class torch
{
    /// <summary>
    /// Opens a scope on this thread: tensors created until it is disposed are disposed with it, unless moved out
    /// (<see cref="Tensor.MoveToOuterDisposeScope"/>) or detached (<see cref="Tensor.DetachFromDisposeScope"/>).
    /// </summary>
    public static DisposeScope NewDisposeScope() => DisposeScope.Open();

    /// <summary>The innermost open scope of this thread, or null.</summary>
    public static DisposeScope? CurrentDisposeScope => DisposeScope.Current;
}
