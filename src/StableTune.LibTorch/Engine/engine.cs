using static StableTune.LibTorch.torch;

namespace StableTune.LibTorch;

/// <summary>
/// What TorchSharp's API lacks: checkpointing, operators by name, foreach and fused operators, memory figures, and what the engine
/// knows about itself. Code above the engine reaches all of that here and nowhere else.
/// </summary>
public static unsafe partial class engine
{
    /// <summary>The loaded libtorch, such as <c>1.13.1</c>.</summary>
    public static string version => EngineInfo.Instance.Version;

    /// <summary>The loaded libtorch's file.</summary>
    public static string library_path => EngineInfo.Instance.LibraryPath;

    /// <summary>libtorch's own account of how it was built.</summary>
    public static string configuration => EngineInfo.Instance.Configuration;

    /// <summary>Where matrix products come from.</summary>
    public static BlasLibrary blas => EngineInfo.Instance.Blas;

    /// <summary>What a program should tell its user once at the start; empty when all is well.</summary>
    public static IReadOnlyList<string> start_up_warnings => EngineInfo.Instance.Warnings;

    /// <summary>Tensor objects that were created and not yet disposed, on all threads.</summary>
    public static long live_tensors => Tensor.Live;

    /// <summary>Tensors that nobody disposed, so that the garbage collector had to: each is a mistake of its creator.</summary>
    public static long forgotten_tensors => Tensor.Finalized;

    /// <summary>Sets how many threads one operator may use.</summary>
    public static void set_num_threads(int count) => torch.set_num_threads(count);
}
