using System.Runtime.InteropServices;

namespace StableTune.LibTorch;

/// <summary>The shim's exports. What returns an int status is 0 when all went well; see <c>native/shim.h</c>.</summary>
internal static unsafe partial class Native
{
    internal const string Library = "stabletune_torch";

    static Native() => NativeLibrary.SetDllImportResolver(typeof(Native).Assembly, LibraryLoader.Resolve);

    /// <summary>The shim's words for the last failure on this thread.</summary>
    internal static string LastError() => Text(st_last_error()).Trim();

    /// <summary>Throws when a call failed: the callback's own exception, or a <see cref="TorchException"/> that names the call.</summary>
    internal static void Check(int status, string what)
    {
        if (status == 0) return;
        HostExceptions.RethrowIfHost(status);
        throw new TorchException(what, LastError());
    }

    internal static string Text(nint utf8) => Marshal.PtrToStringUTF8(utf8) ?? "";

    [LibraryImport(Library)] internal static partial nint st_last_error();
    [LibraryImport(Library)] internal static partial long st_last_ticket();

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int st_operator(string name, string overload, out nint handle);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int st_has_operator(string name, string overload);
    [LibraryImport(Library)]
    internal static partial int st_call(nint op, Value* arguments, int n, Value* results, int capacity, int* count);
    [LibraryImport(Library)] internal static partial void st_results(Value* results);

    [LibraryImport(Library)] internal static partial void st_tensor_free(nint tensor);
    [LibraryImport(Library)] internal static partial nint st_tensor_share(nint tensor);
    [LibraryImport(Library), SuppressGCTransition] internal static partial long st_tensor_dim(nint tensor);
    [LibraryImport(Library), SuppressGCTransition] internal static partial long st_tensor_numel(nint tensor);
    [LibraryImport(Library), SuppressGCTransition] internal static partial int st_tensor_dtype(nint tensor);
    [LibraryImport(Library), SuppressGCTransition] internal static partial long st_tensor_device(nint tensor);
    [LibraryImport(Library), SuppressGCTransition] internal static partial long st_tensor_offset(nint tensor);
    [LibraryImport(Library), SuppressGCTransition] internal static partial int st_tensor_is_contiguous(nint tensor);
    [LibraryImport(Library), SuppressGCTransition] internal static partial void st_tensor_sizes(nint tensor, long* sizes);
    [LibraryImport(Library), SuppressGCTransition] internal static partial void st_tensor_strides(nint tensor, long* strides);
    [LibraryImport(Library)] internal static partial int st_tensor_data(nint tensor, out nint data);
    [LibraryImport(Library), SuppressGCTransition] internal static partial int st_tensor_same_storage(nint a, nint b);
    [LibraryImport(Library), SuppressGCTransition] internal static partial long st_tensor_storage_bytes(nint tensor);
    [LibraryImport(Library)] internal static partial int st_tensor_version(nint tensor, out long version);
    [LibraryImport(Library)]
    internal static partial int st_tensor_from_memory(nint data, long* sizes, int dimensions, int dtype, nint release, nint context, out nint tensor);

    [LibraryImport(Library), SuppressGCTransition] internal static partial int st_requires_grad(nint tensor);
    [LibraryImport(Library)] internal static partial int st_set_requires_grad(nint tensor, int on);
    [LibraryImport(Library)] internal static partial int st_is_leaf(nint tensor, out int leaf);
    [LibraryImport(Library)] internal static partial int st_grad(nint tensor, out nint grad);
    [LibraryImport(Library)] internal static partial int st_set_grad(nint tensor, nint grad);
    [LibraryImport(Library)] internal static partial int st_retain_grad(nint tensor);
    [LibraryImport(Library)]
    internal static partial int st_backward(nint* outputs, nint* gradients, int n, nint* inputs, int inputCount, int retain, int create);
    [LibraryImport(Library)]
    internal static partial int st_autograd_grad(
        nint* outputs, nint* gradients, int n, nint* inputs, int inputCount, int retain, int create, int allowUnused, nint* results);
    [LibraryImport(Library), SuppressGCTransition] internal static partial int st_grad_enabled();
    [LibraryImport(Library), SuppressGCTransition] internal static partial void st_set_grad_enabled(int on);
    [LibraryImport(Library)] internal static partial nint st_inference_enter(int on);
    [LibraryImport(Library)] internal static partial void st_inference_leave(nint guard);
    [LibraryImport(Library), SuppressGCTransition] internal static partial int st_inference_enabled();

    [LibraryImport(Library)] internal static partial int st_generator_new(ulong seed, long device, out nint generator);
    [LibraryImport(Library)] internal static partial int st_generator_default(long device, out nint generator);
    [LibraryImport(Library)] internal static partial void st_generator_free(nint generator);
    [LibraryImport(Library)] internal static partial int st_generator_seed(nint generator, ulong seed);
    [LibraryImport(Library)] internal static partial int st_generator_initial_seed(nint generator, out ulong seed);
    [LibraryImport(Library)] internal static partial long st_generator_device(nint generator);
    [LibraryImport(Library)] internal static partial int st_generator_get_state(nint generator, out nint state);
    [LibraryImport(Library)] internal static partial int st_generator_set_state(nint generator, nint state);

    [LibraryImport(Library)]
    internal static partial int st_checkpoint(nint* inputs, int n, nint run, nint free, nint context, out nint output);
    [LibraryImport(Library)]
    internal static partial int st_conv2d_frozen(
        nint input, nint weight, nint bias, long* stride, long* padding, long* dilation, long groups, out nint output);

    [LibraryImport(Library)] internal static partial int st_contract();
    [LibraryImport(Library)] internal static partial nint st_compiled_version();
    [LibraryImport(Library)] internal static partial nint st_configuration();
    [LibraryImport(Library)] internal static partial nint st_library_path();
    [LibraryImport(Library)] internal static partial nint st_blas_path();
    [LibraryImport(Library)] internal static partial int st_keep_freed_memory(long bytes);
    [LibraryImport(Library)] internal static partial long st_release_freed_memory();
    [LibraryImport(Library)] internal static partial int st_num_threads();
    [LibraryImport(Library)] internal static partial int st_set_num_threads(int n);
    [LibraryImport(Library)] internal static partial int st_num_interop_threads();
    [LibraryImport(Library)] internal static partial int st_set_num_interop_threads(int n);
    [LibraryImport(Library)] internal static partial int st_cuda_device_count();
    [LibraryImport(Library)] internal static partial int st_cuda_memory(int device, out long free, out long total);
    [LibraryImport(Library)] internal static partial int st_cuda_synchronize(int device);
}
