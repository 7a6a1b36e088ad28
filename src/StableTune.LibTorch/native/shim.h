// The words that all files of the shim share: values, ownership, errors.
//
// A tensor handle is the raw c10::TensorImpl*, one counted reference owned by one managed object.
// Every export returns 0, or an error code after which st_last_error() tells what went wrong on this thread.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>
#include <c10/util/Exception.h>
#include <c10/util/intrusive_ptr.h>
#include <torch/version.h>

#include <cstdint>
#include <exception>
#include <stdexcept>
#include <string>
#include <utility>

#define ST_TORCH_AT_LEAST(major, minor) \
  (TORCH_VERSION_MAJOR > (major) || (TORCH_VERSION_MAJOR == (major) && TORCH_VERSION_MINOR >= (minor)))

#if ST_TORCH_AT_LEAST(2, 5)
#include <optional>
#else
#include <c10/util/Optional.h>
#endif

#define ST_EXPORT extern "C" __attribute__((visibility("default")))

namespace st {

#if ST_TORCH_AT_LEAST(2, 5)
template <class T>
using Optional = std::optional<T>;
#else
template <class T>
using Optional = c10::optional<T>;
#endif

using TensorPointer = c10::intrusive_ptr<at::TensorImpl, at::UndefinedTensorImpl>;

/// Kinds of a value that crosses the border. The numbers are part of the contract with Interop/Value.cs.
enum Tag : int32_t {
  kNone = 0,
  kTensor = 1,
  kInt = 2,
  kDouble = 3,
  kBool = 4,
  kInts = 5,
  kDoubles = 6,
  kTensors = 7,
  kString = 8,
  kDevice = 9,
  kGenerator = 10,
  kBools = 11,
  kDefault = 12,
};

/// Sixteen bytes: a tag, a length for lists, and the payload or a pointer to it.
struct Value {
  int32_t tag;
  int32_t count;
  union {
    int64_t integer;
    double real;
    void* pointer;
    const int64_t* integers;
    const double* reals;
    void* const* pointers;
    const char* text;
  };
};
static_assert(sizeof(Value) == 16, "the managed side lays a value out in 16 bytes");

enum Status : int { kOk = 0, kFailed = 1, kHostFailed = 2 };

/// An exception of the managed side on its way through libtorch; the managed side keeps the real one under this ticket.
struct HostException : std::exception {
  explicit HostException(int64_t ticket_) : ticket(ticket_) {}
  const char* what() const noexcept override { return "a managed callback failed"; }
  int64_t ticket;
};

void remember(const std::string& message) noexcept;
void remember_ticket(int64_t ticket) noexcept;

/// Runs a body and turns whatever it throws into a status and a remembered message.
template <class Body>
int guarded(Body&& body) noexcept {
  try {
    body();
    return kOk;
  } catch (const HostException& e) {
    remember_ticket(e.ticket);
    remember(e.what());
    return kHostFailed;
  } catch (const c10::Error& e) {
    remember(e.what_without_backtrace());
  } catch (const std::exception& e) {
    remember(e.what());
  } catch (...) {
    remember("an unknown native exception");
  }
  return kFailed;
}

/// A counted reference of our own to a tensor that the managed side keeps.
inline at::Tensor borrow(void* handle) {
  return at::Tensor(TensorPointer::reclaim_copy(static_cast<at::TensorImpl*>(handle)));
}

/// Takes over the reference that a handle stands for.
inline at::Tensor take(void* handle) {
  return at::Tensor(TensorPointer::reclaim(static_cast<at::TensorImpl*>(handle)));
}

/// Hands a reference to the managed side; null for an undefined tensor.
inline void* give(at::Tensor tensor) {
  return tensor.defined() ? tensor.unsafeReleaseTensorImpl() : nullptr;
}

inline at::TensorImpl* impl(void* handle) { return static_cast<at::TensorImpl*>(handle); }

/// Devices travel as type * 256 + index, the index -1 ("the current one") as 255.
inline c10::Device to_device(int64_t code) {
  return c10::Device(static_cast<c10::DeviceType>(code >> 8), static_cast<c10::DeviceIndex>(static_cast<int8_t>(code & 0xff)));
}

inline int64_t from_device(c10::Device device) {
  return (static_cast<int64_t>(device.type()) << 8) | static_cast<uint8_t>(device.index());
}

}  // namespace st
