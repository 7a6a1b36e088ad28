namespace StableTune.Torch;

/// <summary>
/// Where a parameter's gradient lies in the memory of the CPU. Asking for it takes a tenth of the time that the tensor object of
/// TorchSharp's <c>grad</c> takes, which counts where hundreds of small parameters are stepped.
/// </summary>
/// <param name="Address">Of its first number; good until <see cref="LetGo"/>.</param>
/// <param name="Type">The type of its numbers.</param>
/// <param name="Handle">What keeps it there, even where the parameter is given another gradient meanwhile.</param>
internal readonly record struct GradientPlace(nint Address, ScalarType Type, nint Handle)
{
    /// <summary>Ends the hold on the gradient. To be called once.</summary>
    public void LetGo() => LibTorch.aoti_torch_delete_tensor_object(Handle);

    /// <summary>Looks for the gradient of a parameter on the CPU.</summary>
    /// <param name="parameter">The parameter.</param>
    /// <param name="place">Where it lies; null where its numbers do not follow each other.</param>
    /// <returns>Whether the parameter has a gradient.</returns>
    public static bool TryFind(Tensor parameter, out GradientPlace? place)
    {
        place = null;
        var gradient = LibTorchSharp.THSTensor_grad(parameter.Handle);
        GC.KeepAlive(parameter);
        if (gradient == 0) return false;
        if (LibTorch.aoti_torch_is_contiguous(gradient, out var isContiguous) == 0 && isContiguous
            && LibTorch.aoti_torch_get_dtype(gradient, out var type) == 0
            && LibTorch.aoti_torch_get_data_ptr(gradient, out var address) == 0)
            place = new(address, (ScalarType)type, gradient);
        else LibTorch.aoti_torch_delete_tensor_object(gradient);
        return true;
    }
}
