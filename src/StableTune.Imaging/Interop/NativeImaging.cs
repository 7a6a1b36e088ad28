using System.Reflection;
using System.Runtime.InteropServices;

namespace StableTune.Imaging;

/// <summary>The functions of native/stabletune_imaging.cpp, and the search for the file that holds them.</summary>
internal static unsafe partial class NativeImaging
{
    private const string Library = "stabletune_imaging";

    // Lazy: a failure is kept and told again at each use, and pictures that need no native code work without it.
    private static readonly Lazy<string> s_version = new(Initialize);

    /// <summary>OpenCV's version; the first call loads the library.</summary>
    /// <exception cref="NativeLibraryException">The library, or OpenCV itself, cannot be loaded.</exception>
    internal static string OpenCvVersion => s_version.Value;

    [LibraryImport(Library, EntryPoint = "stim_decode")]
    internal static partial int Decode(byte* file, long length, int width, int height, int channels, int unchanged, byte* pixels);

    [LibraryImport(Library, EntryPoint = "stim_decode_bgr")]
    internal static partial int DecodeBgr(byte* file, long length, int width, int height, int denominator, out void* picture, out byte* pixels);

    [LibraryImport(Library, EntryPoint = "stim_free_picture")]
    internal static partial void FreePicture(void* picture);

    [LibraryImport(Library, EntryPoint = "stim_encode", StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int Encode(byte* pixels, int width, int height, int channels, string format, int quality, out byte* result, out long length);

    [LibraryImport(Library, EntryPoint = "stim_free")]
    internal static partial void Free(byte* memory);

    [LibraryImport(Library, EntryPoint = "stim_resize")]
    internal static partial int Resize(byte* pixels, int width, int height, int channels, int method, byte* result, int newWidth, int newHeight);

    [LibraryImport(Library, EntryPoint = "stim_canny")]
    internal static partial int Canny(byte* pixels, int width, int height, int channels, double low, double high, byte* result);

    /// <summary>Why the last call on this thread failed.</summary>
    internal static string LastError() => Marshal.PtrToStringUTF8((nint)Error()) ?? "unknown error";

    [LibraryImport(Library, EntryPoint = "stim_error")]
    private static partial byte* Error();

    [LibraryImport(Library, EntryPoint = "stim_initialise")]
    private static partial byte* InitialiseNative();

    private static string Initialize()
    {
        var handle = NativeLibrarySearch.Load(Library);
        NativeLibrary.SetDllImportResolver(Assembly.GetExecutingAssembly(), (name, _, _) => name == Library ? handle : 0);
        return Marshal.PtrToStringUTF8((nint)InitialiseNative())!;
    }
}
