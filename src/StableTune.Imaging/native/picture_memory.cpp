// Memory of pictures, kept for the next one. A decoder asks for some megabytes for each picture and gives them back soon after; taken from the system
// each time, touching them for the first time costs a fifth of the decoding. Each thread keeps two blocks; they end with it.
#include <opencv2/core.hpp>

#include <array>
#include <cstddef>
#include <utility>

namespace {

constexpr size_t LeastKept = size_t{1} << 18, MostKept = size_t{1} << 26;

struct Block {
    void* memory = nullptr;
    size_t capacity = 0;
};

class Kept {
public:
    ~Kept() {
        for (Block& block : blocks_) cv::fastFree(block.memory);
    }

    // A kept block that is large enough, and not so large that another picture will want it more; else a new one.
    Block take(size_t bytes) {
        for (Block& block : blocks_)
            if (block.capacity >= bytes && block.capacity / 4 <= bytes) return std::exchange(block, {});
        return {cv::fastMalloc(bytes), bytes};
    }

    void give(Block block) {
        Block& smallest = blocks_[0].capacity <= blocks_[1].capacity ? blocks_[0] : blocks_[1];
        if (block.capacity >= LeastKept && block.capacity <= MostKept && block.capacity > smallest.capacity) std::swap(block, smallest);
        cv::fastFree(block.memory);
    }

private:
    std::array<Block, 2> blocks_;
};

thread_local Kept kept;

// What OpenCV's own allocator does, but for where the memory comes from and goes.
class PictureAllocator final : public cv::MatAllocator {
public:
    cv::UMatData* allocate(int dims, const int* sizes, int type, void* data, size_t* step, cv::AccessFlag access, cv::UMatUsageFlags usage) const override {
        if (data) return cv::Mat::getStdAllocator()->allocate(dims, sizes, type, data, step, access, usage);   // memory of somebody else
        size_t total = CV_ELEM_SIZE(type);
        for (int i = dims - 1; i >= 0; i--) {
            if (step) step[i] = total;
            total *= static_cast<size_t>(sizes[i]);
        }
        const Block block = kept.take(total);
        auto* result = new cv::UMatData(this);
        result->data = result->origdata = static_cast<uchar*>(block.memory);
        result->size = total;
        result->userdata = reinterpret_cast<void*>(block.capacity);
        return result;
    }

    bool allocate(cv::UMatData* data, cv::AccessFlag, cv::UMatUsageFlags) const override { return data != nullptr; }

    void deallocate(cv::UMatData* data) const override {
        if (!data) return;
        kept.give({data->origdata, reinterpret_cast<size_t>(data->userdata)});
        delete data;
    }
};

}  // namespace

void keepPictureMemory() {
    static PictureAllocator allocator;
    cv::Mat::setDefaultAllocator(&allocator);
}
