// The state of the random streams that operators use when they are given none.
#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <vector>

namespace st {

struct GeneratorState {
  c10::Device device;
  at::Tensor state;
};

at::Generator default_generator(c10::Device device);
std::vector<GeneratorState> save_default_generators();
void restore_default_generators(const std::vector<GeneratorState>& states);

}  // namespace st
