// A convolution whose weight is not trained: keeps the weight for the backward pass, not the input.
#include "shim.h"

#include <ATen/ops/conv2d.h>
#include <ATen/ops/convolution_backward.h>
#include <ATen/ops/empty.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/variable.h>

#include <array>
#include <vector>

namespace st {
namespace {

struct Geometry {
  std::vector<int64_t> stride, padding, dilation;
  int64_t groups;
};

struct FrozenConvolution : torch::autograd::Function<FrozenConvolution> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& input, const at::Tensor& weight,
                            const Optional<at::Tensor>& bias, const Geometry& geometry) {
    context->save_for_backward({weight});
    context->saved_data["sizes"] = input.sizes().vec();
    context->saved_data["format"] = static_cast<int64_t>(input.suggest_memory_format());
    context->saved_data["stride"] = geometry.stride;
    context->saved_data["padding"] = geometry.padding;
    context->saved_data["dilation"] = geometry.dilation;
    context->saved_data["groups"] = geometry.groups;
    return at::conv2d(input, weight, bias, geometry.stride, geometry.padding, geometry.dilation, geometry.groups);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
    auto& data = context->saved_data;
    const auto weight = context->get_saved_variables()[0];
    const auto sizes = data["sizes"].toIntVector();
    // The gradient of the input depends on the input's shape and layout only, never on its values.
    const auto format = static_cast<at::MemoryFormat>(data["format"].toInt());
    const auto shape_only = format == at::MemoryFormat::Contiguous ? at::empty({1}, weight.options()).expand(sizes)
                                                                  : at::empty(sizes, weight.options(), format);
    const std::vector<int64_t> no_output_padding{0, 0};
    auto result = at::convolution_backward(gradients[0], shape_only, weight, at::OptionalIntArrayRef(), data["stride"].toIntVector(),
                                           data["padding"].toIntVector(), data["dilation"].toIntVector(), /*transposed=*/false,
                                           no_output_padding, data["groups"].toInt(), std::array<bool, 3>{true, false, false});
    return {std::get<0>(result), at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

}  // namespace
}  // namespace st

/// aten::conv2d for a weight and a bias that want no gradient; stride, padding and dilation are pairs (height, width).
ST_EXPORT int st_conv2d_frozen(void* input, void* weight, void* bias, const int64_t* stride, const int64_t* padding,
                               const int64_t* dilation, int64_t groups, void** out) {
  return st::guarded([&] {
    const st::Geometry geometry{{stride, stride + 2}, {padding, padding + 2}, {dilation, dilation + 2}, groups};
    *out = st::give(st::FrozenConvolution::apply(st::borrow(input), st::borrow(weight),
                                                 bias ? st::Optional<at::Tensor>(st::borrow(bias)) : st::Optional<at::Tensor>(), geometry));
  });
}
