using TorchSharp;

namespace StableTune.Training;

/// <summary>Lets GPUs multiply in TensorFloat-32 until disposed, then puts the process's own settings back.</summary>
internal sealed class TensorFloat : IDisposable
{
    private readonly bool _products = torch.backends.cuda.matmul.allow_tf32;
    private readonly bool _convolutions = torch.backends.cudnn.allow_tf32;

    public TensorFloat() => Set(true, true);

    public void Dispose() => Set(_products, _convolutions);

    private static void Set(bool products, bool convolutions)
    {
        torch.backends.cuda.matmul.allow_tf32 = products;
        torch.backends.cudnn.allow_tf32 = convolutions;
    }
}
