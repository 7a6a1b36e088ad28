// Gradients: which tensors want one, the backward pass, and the switches of this thread.
#include "shim.h"

#include <c10/core/GradMode.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/variable.h>

#include <vector>

namespace {

torch::autograd::variable_list to_list(void* const* tensors, int n) {
  torch::autograd::variable_list list;
  list.reserve(n);
  for (int k = 0; k < n; k++) list.push_back(tensors && tensors[k] ? st::borrow(tensors[k]) : at::Tensor());
  return list;
}

}  // namespace

ST_EXPORT int32_t st_requires_grad(void* tensor) { return st::impl(tensor)->requires_grad() ? 1 : 0; }

ST_EXPORT int st_set_requires_grad(void* tensor, int on) {
  return st::guarded([&] { st::borrow(tensor).requires_grad_(on != 0); });
}

ST_EXPORT int st_is_leaf(void* tensor, int32_t* out) {
  return st::guarded([&] { *out = st::borrow(tensor).is_leaf() ? 1 : 0; });
}

/// A reference to the accumulated gradient, or null.
ST_EXPORT int st_grad(void* tensor, void** out) {
  return st::guarded([&] { *out = st::give(st::borrow(tensor).grad()); });
}

/// Replaces the accumulated gradient; null drops it.
ST_EXPORT int st_set_grad(void* tensor, void* grad) {
  return st::guarded([&] { st::borrow(tensor).mutable_grad() = grad ? st::borrow(grad) : at::Tensor(); });
}

ST_EXPORT int st_retain_grad(void* tensor) {
  return st::guarded([&] { st::borrow(tensor).retain_grad(); });
}

/// Accumulates gradients into the leaves. `inputs` narrows that to some of them; n_inputs of 0 means all.
ST_EXPORT int st_backward(void* const* outputs, void* const* gradients, int n, void* const* inputs, int n_inputs, int retain, int create) {
  return st::guarded([&] {
    torch::autograd::backward(to_list(outputs, n), to_list(gradients, n), retain != 0, create != 0, to_list(inputs, n_inputs));
  });
}

/// Gradients of `outputs` with respect to `inputs`; null in `results` where there is none and that is allowed.
ST_EXPORT int st_autograd_grad(void* const* outputs, void* const* gradients, int n, void* const* inputs, int n_inputs, int retain,
                               int create, int allow_unused, void** results) {
  return st::guarded([&] {
    auto list = torch::autograd::grad(to_list(outputs, n), to_list(inputs, n_inputs), to_list(gradients, n), retain != 0, create != 0,
                                      allow_unused != 0);
    for (size_t k = 0; k < list.size(); k++) results[k] = st::give(std::move(list[k]));
  });
}

ST_EXPORT int32_t st_grad_enabled() { return c10::GradMode::is_enabled() ? 1 : 0; }
ST_EXPORT void st_set_grad_enabled(int on) { c10::GradMode::set_enabled(on != 0); }

/// Enters inference mode on this thread; the guard that comes back must be left on the same thread.
ST_EXPORT void* st_inference_enter(int on) { return new c10::InferenceMode(on != 0); }
ST_EXPORT void st_inference_leave(void* guard) { delete static_cast<c10::InferenceMode*>(guard); }
ST_EXPORT int32_t st_inference_enabled() { return c10::InferenceMode::is_enabled() ? 1 : 0; }
