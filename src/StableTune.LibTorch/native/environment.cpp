// The machine and the library: versions, threads, devices, BLAS.
#include "shim.h"

#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <c10/core/DeviceGuard.h>
#include <torch/cuda.h>

#include <dlfcn.h>

#include <climits>
#include <cstdlib>

// The managed side reads this marker out of the file when the loader refuses it, to say which libtorch it wants.
extern "C" __attribute__((visibility("default"), used)) const char st_built_for[] = "StableTune shim built for libtorch " TORCH_VERSION ";";

namespace {
thread_local std::string text;
const char* keep(std::string value) {
  text = std::move(value);
  return text.c_str();
}
}  // namespace

/// Version of the contract between the shim and the managed side. Change both together.
ST_EXPORT int32_t st_contract() { return 1; }

/// The libtorch that the shim was compiled against, such as "1.13.1".
ST_EXPORT const char* st_compiled_version() { return TORCH_VERSION; }

/// libtorch's own account of how it was built; contains TORCH_VERSION=x.y.z.
ST_EXPORT const char* st_configuration() { return keep(at::show_config()); }

/// The file of the libtorch that is loaded.
ST_EXPORT const char* st_library_path() {
  Dl_info info{};
  return dladdr(reinterpret_cast<void*>(&at::show_config), &info) && info.dli_fname ? keep(info.dli_fname) : "";
}

/// The file that matrix products come from, links resolved; empty when it cannot be told.
ST_EXPORT const char* st_blas_path() {
  Dl_info torch{};
  if (!dladdr(reinterpret_cast<void*>(&at::show_config), &torch) || !torch.dli_fname) return "";
  void* library = dlopen(torch.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
  if (!library) return "";
  void* sgemm = dlsym(library, "sgemm_");
  Dl_info blas{};
  const bool found = sgemm && dladdr(sgemm, &blas) && blas.dli_fname;
  dlclose(library);
  if (!found) return "";
  char resolved[PATH_MAX];
  return keep(realpath(blas.dli_fname, resolved) ? resolved : blas.dli_fname);
}

ST_EXPORT int32_t st_num_threads() { return at::get_num_threads(); }
ST_EXPORT int st_set_num_threads(int n) {
  return st::guarded([&] { at::set_num_threads(n); });
}
ST_EXPORT int32_t st_num_interop_threads() { return at::get_num_interop_threads(); }
ST_EXPORT int st_set_num_interop_threads(int n) {
  return st::guarded([&] { at::set_num_interop_threads(n); });
}

ST_EXPORT int32_t st_cuda_device_count() { return torch::cuda::is_available() ? static_cast<int32_t>(torch::cuda::device_count()) : 0; }

/// Free and total bytes of a GPU, as its driver counts them: of all processes together. Asked of the CUDA runtime that libtorch
/// loaded, by name, because its headers need not be installed.
ST_EXPORT int st_cuda_memory(int device, int64_t* free_bytes, int64_t* total_bytes) {
  return st::guarded([&] {
    using MemoryInfo = int (*)(size_t*, size_t*);
    void* library = dlopen("libtorch_cuda.so", RTLD_LAZY | RTLD_NOLOAD);
    auto ask = library ? reinterpret_cast<MemoryInfo>(dlsym(library, "cudaMemGetInfo")) : nullptr;
    if (library) dlclose(library);
    if (!ask) throw std::runtime_error("the CUDA runtime is not loaded");
    const c10::DeviceGuard guard(c10::Device(c10::kCUDA, static_cast<c10::DeviceIndex>(device)));
    size_t free_now = 0, total = 0;
    if (const int code = ask(&free_now, &total)) throw std::runtime_error("cudaMemGetInfo failed with code " + std::to_string(code));
    *free_bytes = static_cast<int64_t>(free_now);
    *total_bytes = static_cast<int64_t>(total);
  });
}

ST_EXPORT int st_cuda_synchronize(int device) {
  return st::guarded([&] { torch::cuda::synchronize(device); });
}
