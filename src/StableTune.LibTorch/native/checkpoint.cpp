// Activation checkpointing: a segment runs without keeping its activations and runs again in the backward pass.
#include "shim.h"
#include "generators.h"

#include <ATen/core/ivalue.h>
#include <ATen/ops/empty.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/variable.h>

#include <vector>

namespace st {
namespace {

/// Runs the managed segment: borrowed inputs in, one owned output. Returns 0, or the ticket of the exception it threw.
using RunSegment = int64_t (*)(void* context, void* const* inputs, int n, void** output);
using FreeSegment = void (*)(void* context);

/// The managed segment and the random state it began with. Dies with the graph, and then lets the managed side go.
struct Segment : torch::CustomClassHolder {
  Segment(RunSegment run_, FreeSegment free_, void* context_) : run(run_), free(free_), context(context_) {}
  ~Segment() override { free(context); }

  at::Tensor operator()(const std::vector<at::Tensor>& inputs) const {
    std::vector<void*> handles;
    handles.reserve(inputs.size());
    for (const auto& input : inputs) handles.push_back(input.unsafeGetTensorImpl());
    void* output = nullptr;
    const int64_t ticket = run(context, handles.data(), static_cast<int>(handles.size()), &output);
    if (ticket != 0) throw HostException(ticket);
    return take(output);
  }

  RunSegment run;
  FreeSegment free;
  void* context;
  std::vector<GeneratorState> random;
};

/// Puts the random streams back to where the segment began, and afterwards to where they stood.
class ReplayRandom {
 public:
  explicit ReplayRandom(const std::vector<GeneratorState>& then) : now_(save_default_generators()) { restore_default_generators(then); }
  ~ReplayRandom() { restore_default_generators(now_); }

 private:
  std::vector<GeneratorState> now_;
};

struct Checkpoint : torch::autograd::Function<Checkpoint> {
  // The inputs come as a TensorList: a std::vector argument would not be tracked. The last one is the anchor: an empty
  // tensor that wants a gradient, so that parameters inside the segment are reached even when no true input wants one.
  static at::Tensor forward(torch::autograd::AutogradContext* context, at::TensorList inputs, c10::intrusive_ptr<Segment> segment) {
    const auto anchored = inputs.vec();
    segment->random = save_default_generators();
    context->save_for_backward(anchored);
    auto output = (*segment)({anchored.begin(), anchored.end() - 1});
    context->saved_data["segment"] = c10::IValue::make_capsule(std::move(segment));
    return output;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
    // The gradients of the second run are not recorded: a second derivative would lack the segment without a word.
    if (c10::GradMode::is_enabled())
      throw std::runtime_error("a checkpoint has no second derivative: run the segment without engine.checkpoint where create_graph is asked for");
    const auto holder = context->saved_data["segment"].toCapsule();
    const auto& segment = static_cast<const Segment&>(*holder);
    auto saved = context->get_saved_variables();
    saved.pop_back();
    std::vector<at::Tensor> inputs;
    for (const auto& input : saved) {
      auto fresh = input.detach();
      fresh.requires_grad_(input.requires_grad());
      inputs.push_back(std::move(fresh));
    }
    at::Tensor output;
    {
      const ReplayRandom replay(segment.random);
      c10::AutoGradMode enabled(true);
      output = segment(inputs);
    }
    if (output.requires_grad()) torch::autograd::backward({output}, {gradients[0]});
    torch::autograd::variable_list result;
    for (const auto& input : inputs) result.push_back(input.requires_grad() ? input.grad() : at::Tensor());
    result.emplace_back();  // the anchor
    result.emplace_back();  // the segment
    return result;
  }
};

}  // namespace
}  // namespace st

/// Runs a segment as one node of the graph. The context belongs to the graph from here on, also on failure.
ST_EXPORT int st_checkpoint(void* const* inputs, int n, st::RunSegment run, st::FreeSegment free, void* context, void** output) {
  auto segment = c10::make_intrusive<st::Segment>(run, free, context);
  return st::guarded([&] {
    std::vector<at::Tensor> list;
    for (int k = 0; k < n; k++) list.push_back(st::borrow(inputs[k]));
    list.push_back(at::empty({0}));
    list.back().requires_grad_(true);
    *output = st::give(st::Checkpoint::apply(at::TensorList(list), std::move(segment)));
  });
}
