// What a tensor is: its lifetime, shape, type and memory.
#include "shim.h"

#include <ATen/ops/from_blob.h>
#include <c10/core/ScalarType.h>
#include <c10/core/TensorOptions.h>

#include <memory>

ST_EXPORT void st_tensor_free(void* tensor) {
  if (tensor) st::take(tensor);
}

/// One more reference to the same tensor, for a second managed owner.
ST_EXPORT void* st_tensor_share(void* tensor) { return st::give(st::borrow(tensor)); }

ST_EXPORT int64_t st_tensor_dim(void* tensor) { return st::impl(tensor)->dim(); }
ST_EXPORT int64_t st_tensor_numel(void* tensor) { return st::impl(tensor)->numel(); }
ST_EXPORT int32_t st_tensor_dtype(void* tensor) { return static_cast<int32_t>(c10::typeMetaToScalarType(st::impl(tensor)->dtype())); }
ST_EXPORT int64_t st_tensor_device(void* tensor) { return st::from_device(st::impl(tensor)->device()); }
ST_EXPORT int64_t st_tensor_offset(void* tensor) { return st::impl(tensor)->storage_offset(); }
ST_EXPORT int32_t st_tensor_is_contiguous(void* tensor) { return st::impl(tensor)->is_contiguous() ? 1 : 0; }

ST_EXPORT void st_tensor_sizes(void* tensor, int64_t* out) {
  for (int64_t size : st::impl(tensor)->sizes()) *out++ = size;
}

ST_EXPORT void st_tensor_strides(void* tensor, int64_t* out) {
  for (int64_t stride : st::impl(tensor)->strides()) *out++ = stride;
}

/// The address of the first element; for a device tensor an address on that device.
ST_EXPORT int st_tensor_data(void* tensor, void** out) {
  return st::guarded([&] { *out = st::borrow(tensor).data_ptr(); });
}

/// 1 when both are the same tensor or start at the same byte of the same storage.
ST_EXPORT int32_t st_tensor_same_storage(void* a, void* b) {
  return st::impl(a)->storage().unsafeGetStorageImpl() == st::impl(b)->storage().unsafeGetStorageImpl() ? 1 : 0;
}

/// Bytes of the whole storage behind a tensor, which views share.
ST_EXPORT int64_t st_tensor_storage_bytes(void* tensor) { return static_cast<int64_t>(st::impl(tensor)->storage().nbytes()); }

/// How often the memory was changed in place; autograd compares it with what it saved.
ST_EXPORT int st_tensor_version(void* tensor, int64_t* out) {
  return st::guarded([&] { *out = static_cast<int64_t>(st::borrow(tensor)._version()); });
}

/// Wraps memory of the caller without a copy. `release(context)` is called when no tensor refers to it any more, also on failure.
ST_EXPORT int st_tensor_from_memory(void* data, const int64_t* sizes, int dimensions, int dtype, void (*release)(void*), void* context,
                                    void** out) {
  return st::guarded([&] {
    // The last copy of the pointer releases the memory, whether a tensor came to be or not.
    std::shared_ptr<void> owner(context, [release](void* given) {
      if (release) release(given);
    });
    const auto options = c10::TensorOptions().dtype(static_cast<c10::ScalarType>(dtype));
    *out = st::give(at::from_blob(data, at::IntArrayRef(sizes, dimensions), [owner = std::move(owner)](void*) {}, options));
  });
}
