// Tensor memory of the processor: kept for the next tensor of its size, instead of going back to the system.
//
// malloc returns large blocks at once, so every large result is fetched page by page again: in a training step on a CPU that
// is a third of the time. A step asks for the same sizes over and over, so free blocks are kept by size.
#include "shim.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>

#include <cstdlib>
#include <cstring>
#include <mutex>
#include <unordered_map>
#include <vector>

#if defined(__GLIBC__)
#include <malloc.h>
#endif
#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace st {
namespace {

constexpr size_t kAlignment = 64;      // libtorch's own; a block's size stands in the 64 bytes before its data
constexpr size_t kSmallest = 1 << 17;  // below, malloc keeps memory itself
constexpr size_t kHugePage = 2 << 20;  // of x86-64 and most arm64 systems
constexpr size_t kSteps = 16;          // sizes between two powers of two, so that at most a sixteenth is lost

size_t round_up(size_t bytes) {
  if (bytes < kSmallest) return bytes;
  size_t power = kSmallest;
  while (power < bytes / 2) power *= 2;
  const size_t step = power / kSteps;
  return (bytes + step - 1) / step * step;
}

/// Blocks that nobody uses, by size.
class IdleBlocks {
 public:
  /// At most this many bytes are kept from now on. 0 keeps none.
  void set_limit(size_t bytes) {
    std::lock_guard<std::mutex> guard(mutex_);
    limit_ = bytes;
    if (total_ > limit_) clear();
  }

  void* take(size_t size) {
    std::lock_guard<std::mutex> guard(mutex_);
    const auto found = blocks_.find(size);
    if (found == blocks_.end() || found->second.empty()) return nullptr;
    void* block = found->second.back();
    found->second.pop_back();
    total_ -= size;
    return block;
  }

  void put(void* block, size_t size) {
    std::lock_guard<std::mutex> guard(mutex_);
    if (size > limit_) return std::free(block);
    // Sizes of the past must not keep those of the present out.
    if (total_ + size > limit_) clear();
    blocks_[size].push_back(block);
    total_ += size;
  }

  size_t release() {
    std::lock_guard<std::mutex> guard(mutex_);
    const size_t released = total_;
    clear();
    return released;
  }

 private:
  void clear() {
    for (auto& entry : blocks_)
      for (void* block : entry.second) std::free(block);
    blocks_.clear();
    total_ = 0;
  }

  std::mutex mutex_;
  std::unordered_map<size_t, std::vector<void*>> blocks_;
  size_t total_ = 0, limit_ = 0;
};

IdleBlocks& idle() {
  static auto* blocks = new IdleBlocks();  // never destroyed: tensors may outlive every static object
  return *blocks;
}

void free_data(void* data) {
  if (!data) return;
  void* block = static_cast<char*>(data) - kAlignment;
  size_t size;
  std::memcpy(&size, block, sizeof size);
  if (size < kSmallest) std::free(block);
  else idle().put(block, size);
}

/// A fresh block, or null. Large ones ask for huge pages: a model's weights are then fetched in thousands of pages instead of
/// a million. What lies behind the last whole huge page keeps ordinary ones, so no memory is lost.
void* fresh_block(size_t size) {
  void* block = nullptr;
  const bool large = size >= kHugePage;
  if (posix_memalign(&block, large ? kHugePage : kAlignment, size + kAlignment) != 0) return nullptr;
#if defined(MADV_HUGEPAGE)
  if (large) madvise(block, size / kHugePage * kHugePage, MADV_HUGEPAGE);  // a wish: where it is not granted, nothing is lost
#endif
  return block;
}

void* allocate_data(size_t bytes) {
  if (bytes == 0) return nullptr;
  const size_t size = round_up(bytes);
  void* block = size < kSmallest ? nullptr : idle().take(size);
  if (!block) block = fresh_block(size);
  if (!block) {
    idle().release();
    block = fresh_block(size);
    TORCH_CHECK(block, "out of memory: ", bytes, " bytes for a tensor on the CPU");
  }
  std::memcpy(block, &size, sizeof size);
  return static_cast<char*>(block) + kAlignment;
}

// Older libtorchs declare allocate const and know no copy_data, newer ones the other way round. Without the word "override"
// this class serves both.
struct KeepingAllocator final : c10::Allocator {
  at::DataPtr allocate(size_t bytes) const { return make(bytes); }
  at::DataPtr allocate(size_t bytes) { return make(bytes); }
  c10::DeleterFnPtr raw_deleter() const override { return &free_data; }
  void copy_data(void* to, const void* from, size_t bytes) const { std::memcpy(to, from, bytes); }

 private:
  static at::DataPtr make(size_t bytes) {
    void* data = allocate_data(bytes);
    return {data, data, &free_data, at::Device(at::DeviceType::CPU)};
  }
};

}  // namespace
}  // namespace st

/// Keeps up to so many bytes of freed tensor memory for reuse; 0 keeps none, and is how it begins.
ST_EXPORT int st_keep_freed_memory(int64_t bytes) {
  return st::guarded([&] {
    static const bool installed = [] {
      c10::SetCPUAllocator(new st::KeepingAllocator(), /*priority=*/100);
#if defined(__GLIBC__)
      // glibc raises this bound to 32 MiB by itself; large blocks then lie among small ones, and their gaps are lost: at full size
      // 200 MB and more at the peak of a training step. Set once, the bound stays.
      mallopt(M_MMAP_THRESHOLD, 1 << 20);
#endif
      return true;
    }();
    (void)installed;
    st::idle().set_limit(static_cast<size_t>(bytes));
  });
}

/// Hands kept memory back to the system; returns how many bytes there were.
ST_EXPORT int64_t st_release_freed_memory() { return static_cast<int64_t>(st::idle().release()); }
