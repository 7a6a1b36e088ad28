using System.Runtime.InteropServices;
using StableTune.Torch.Loading;
using TorchSharp;

namespace StableTune.Torch.Tests.Loading;

/// <summary>What this assembly does when a test starts it as a program: loading happens once in a process.</summary>
internal static class Program
{
    private static int Main(string[] arguments)
    {
        try
        {
            Console.WriteLine(Answer(arguments[0]));
            return 0;
        }
        catch (NativeBackendException e)
        {
            Console.WriteLine(e.Message);
            return 3;
        }
    }

    private static object Answer(string question) => question switch
    {
        "report" => NativeBackend.Describe(),
        "load" => Load(),
        "torch first" => Sum(),
        "threads kept" => WithOneThread(),
        "spinning" => NativeVariable("GOMP_SPINCOUNT"),
        "huge pages" => NativeVariable("THP_MEM_ALLOC_ENABLE"),
        "working memory" => NativeVariable("MKL_DISABLE_FAST_MM"),
        "repeatable" => NativeVariable("MKL_CBWR"),
        "primitives" => $"{NativeVariable("ONEDNN_PRIMITIVE_CACHE_CAPACITY")}, {ProcessSettings.KeptPrimitives}",
        _ => throw new ArgumentException(question),
    };

    private static string Load()
    {
        NativeBackend.Load();
        return "loaded";
    }

    private static float Sum() => torch.ones(3, 4).sum().item<float>();

    private static int WithOneThread()
    {
        torch.set_num_threads(1);
        NativeBackend.Load();
        return torch.get_num_threads();
    }

    private static unsafe string NativeVariable(string name)
    {
        NativeBackend.CheckDevice("cpu");
        var read = (delegate* unmanaged<nint, nint>)NativeLibrary.GetExport(NativeLibrary.Load("libc.so.6"), "getenv");
        return Marshal.PtrToStringUTF8(read(Marshal.StringToCoTaskMemUTF8(name))) ?? "unset";
    }
}
