namespace StableTune.Optimizers;

/// <summary>Several tensors as one vector, and back.</summary>
internal static class FlatTensors
{
    private static readonly Operator Copy = new("aten::_foreach_copy_"), Flatten = new("aten::flatten_dense_tensors"),
        Unflatten = new("aten::unflatten_dense_tensors");

    /// <summary>Tensors one after another, [n], float32. Of one alone that is laid out so already, its own memory.</summary>
    public static Tensor Join(Tensor[] tensors) => Flatten.Call(tensors).detach().to(ScalarType.Float32);

    /// <summary>Tensors of one type one after another, [n], in that type. Of one alone that is laid out so already, its own
    /// memory.</summary>
    public static Tensor JoinAsTheyAre(Tensor[] tensors) => Flatten.Call(tensors);

    /// <summary>Parts of a vector in the shapes of other tensors.</summary>
    public static Tensor[] Split(Tensor vector, Tensor[] like) => Unflatten.CallForList(vector, like);

    /// <summary>Copies a vector's numbers back, unless they are there already.</summary>
    public static void PutBack(Tensor values, Tensor[] tensors)
    {
        if (tensors.Length == 1 && IsItself(values, tensors[0])) return;
        CopyTo(tensors, Split(values, tensors));
    }

    /// <summary>Copies each tensor into the one at the same place, whatever their types and devices.</summary>
    public static void CopyTo(Tensor[] targets, Tensor[] sources)
    {
        if (targets.Length > 0) Copy.Do(targets, sources, false);
    }

    /// <summary>Whether a vector is a tensor's own memory.</summary>
    public static bool IsItself(Tensor values, Tensor tensor) =>
        tensor.dtype == ScalarType.Float32 && tensor.is_contiguous() && values.numel() == tensor.numel()
        && values.DataPointer() == tensor.DataPointer();
}
