// Random streams. A generator handle is a heap-allocated at::Generator, itself a counted reference.
#include "shim.h"
#include "generators.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <torch/cuda.h>

#include <mutex>

namespace st {

at::Generator default_generator(c10::Device device) {
  return device.is_cpu() ? at::detail::getDefaultCPUGenerator() : at::globalContext().defaultGenerator(device);
}

std::vector<GeneratorState> save_default_generators() {
  std::vector<GeneratorState> states;
  auto save = [&](c10::Device device) {
    auto generator = default_generator(device);
    std::lock_guard<std::mutex> lock(generator.mutex());
    states.push_back({device, generator.get_state()});
  };
  save(c10::Device(c10::kCPU));
  const size_t gpus = torch::cuda::is_available() ? torch::cuda::device_count() : 0;
  for (size_t index = 0; index < gpus; index++) save(c10::Device(c10::kCUDA, static_cast<c10::DeviceIndex>(index)));
  return states;
}

void restore_default_generators(const std::vector<GeneratorState>& states) {
  for (const auto& saved : states) {
    auto generator = default_generator(saved.device);
    std::lock_guard<std::mutex> lock(generator.mutex());
    generator.set_state(saved.state);
  }
}

}  // namespace st

namespace {
at::Generator& as_generator(void* handle) { return *static_cast<at::Generator*>(handle); }
}  // namespace

/// A generator of its own. On a device it begins as a copy of the device's default one.
ST_EXPORT int st_generator_new(uint64_t seed, int64_t device, void** out) {
  return st::guarded([&] {
    const auto where = st::to_device(device);
    auto generator = where.is_cpu() ? at::detail::createCPUGenerator(seed) : st::default_generator(where).clone();
    generator.set_current_seed(seed);
    *out = new at::Generator(std::move(generator));
  });
}

/// The generator that operators use when they are given none; a shared object, not a copy.
ST_EXPORT int st_generator_default(int64_t device, void** out) {
  return st::guarded([&] { *out = new at::Generator(st::default_generator(st::to_device(device))); });
}

ST_EXPORT void st_generator_free(void* generator) { delete static_cast<at::Generator*>(generator); }

ST_EXPORT int st_generator_seed(void* generator, uint64_t seed) {
  return st::guarded([&] {
    std::lock_guard<std::mutex> lock(as_generator(generator).mutex());
    as_generator(generator).set_current_seed(seed);
  });
}

ST_EXPORT int st_generator_initial_seed(void* generator, uint64_t* out) {
  return st::guarded([&] { *out = as_generator(generator).current_seed(); });
}

ST_EXPORT int64_t st_generator_device(void* generator) { return st::from_device(as_generator(generator).device()); }

/// The whole state as a byte tensor [n].
ST_EXPORT int st_generator_get_state(void* generator, void** out) {
  return st::guarded([&] {
    std::lock_guard<std::mutex> lock(as_generator(generator).mutex());
    *out = st::give(as_generator(generator).get_state());
  });
}

ST_EXPORT int st_generator_set_state(void* generator, void* state) {
  return st::guarded([&] {
    std::lock_guard<std::mutex> lock(as_generator(generator).mutex());
    as_generator(generator).set_state(st::borrow(state));
  });
}
