// Where things lie in the memory of one end of a queue pair, for its partition or its executor.
//
// Ownership: borrows the mapping. The shape comes from the creator's request, never from memory.
#pragma once

#include <causeway/abi/queue_pair.hpp>
#include <cstddef>
#include <cstring>

#include "shm/ring.hpp"

namespace causeway::shm {

class QueuePairView {
public:
    QueuePairView() = default;
    QueuePairView(std::byte* memory, const abi::QueuePairShape& shape) noexcept
        : memory_(memory), shape_(shape), at_(abi::queue_pair_offsets(shape)) {}

    [[nodiscard]] abi::QueuePairLayout& layout() const noexcept {
        return *reinterpret_cast<abi::QueuePairLayout*>(memory_);
    }
    [[nodiscard]] const abi::QueuePairShape& shape() const noexcept { return shape_; }

    // Takes over what stands in the receive queue of `from`, of the same size; nobody else is using
    // either.
    void copy_receives(const QueuePairView& from) const noexcept {
        std::memcpy(memory_ + at_.receive, from.memory_ + from.at_.receive,
                    std::size_t{shape_.receive_entries} * abi::kCacheLine);
    }

    // Views for the partition.
    [[nodiscard]] DescriptorProducer send_producer() const noexcept {
        return {memory_ + at_.send, shape_.send_entries};
    }
    [[nodiscard]] DescriptorProducer receive_producer() const noexcept {
        return {memory_ + at_.receive, shape_.receive_entries};
    }
    [[nodiscard]] CompletionConsumer send_completions() const noexcept {
        return {memory_ + at_.send_completions, shape_.send_completion_entries};
    }
    [[nodiscard]] CompletionConsumer receive_completions() const noexcept {
        return {memory_ + at_.receive_completions, shape_.receive_completion_entries};
    }
    // Views for the executor.
    [[nodiscard]] DescriptorConsumer send_consumer() const noexcept {
        return {memory_ + at_.send, shape_.send_entries};
    }
    [[nodiscard]] DescriptorConsumer receive_consumer() const noexcept {
        return {memory_ + at_.receive, shape_.receive_entries};
    }
    [[nodiscard]] CompletionProducer send_completer() const noexcept {
        return {memory_ + at_.send_completions, shape_.send_completion_entries};
    }
    [[nodiscard]] CompletionProducer receive_completer() const noexcept {
        return {memory_ + at_.receive_completions, shape_.receive_completion_entries};
    }

private:
    std::byte* memory_ = nullptr;
    abi::QueuePairShape shape_{};
    abi::QueuePairOffsets at_{};
};

}  // namespace causeway::shm
