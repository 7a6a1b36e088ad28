namespace StableTune.LibTorch;

/// <summary>Tensors and what makes them, under the names that TorchSharp and PyTorch use.</summary>
public static partial class torch;
