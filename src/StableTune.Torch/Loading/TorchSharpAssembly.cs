using System.Reflection;
using System.Runtime.CompilerServices;
using TorchSharp;

namespace StableTune.Torch.Loading;

/// <summary>The managed part of TorchSharp, which may be missing or too old.</summary>
internal static class TorchSharpAssembly
{
    /// <summary>The version of TorchSharp that this library was built for.</summary>
    internal static Version BuiltFor { get; } =
        typeof(TorchSharpAssembly).Assembly.GetReferencedAssemblies().Single(name => name.Name == "TorchSharp").Version!;

    /// <summary>The assembly in use; null when none of that version or later can be loaded.</summary>
    internal static Assembly? Find()
    {
        try
        {
            return OfTorch();
        }
        catch (Exception e) when (e is IOException or BadImageFormatException)
        {
            return null;
        }
    }

    /// <summary>In a method of its own: TorchSharp is looked for when this method is compiled.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Assembly OfTorch() => typeof(torch).Assembly;
}
