// LogReader: reads an exportable Append region, to which several writers append through any
// executor. (A region that is not exportable holds bare bytes up to Region::append_offset().)
//
// Threading: one thread. Ownership: borrows the region's memory.
#pragma once

#include <atomic>
#include <causeway/abi/append_log.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace causeway {

// Reads a log of records from its beginning.
class LogReader {
public:
    // `memory`: the whole region.
    explicit LogReader(std::span<std::byte> memory) noexcept : memory_(memory) {}

    // The data of the next record. None: the log ends here for now, or blocked() says that a writer
    // has not finished. Records whose writers failed are passed over. The bytes stay where they
    // are, but a writer with a grant to the region can change them at any time.
    [[nodiscard]] std::optional<std::span<const std::byte>> next() noexcept {
        for (;;) {
            const std::uint64_t found = peek();
            const auto state = abi::record_state(found);
            if (state == abi::RecordState::free || state == abi::RecordState::reserved)
                return std::nullopt;
            const std::uint64_t at = offset_;
            offset_ += abi::record_size(abi::record_length(found));
            if (state == abi::RecordState::committed)
                return memory_.subspan(at + abi::kRecordHeader, abi::record_length(found));
        }
    }
    // Does a record stand here that its writer has reserved and not finished?
    [[nodiscard]] bool blocked() const noexcept {
        return abi::record_state(peek()) == abi::RecordState::reserved;
    }
    // Passes over such a record; it will not be seen again.
    void skip() noexcept {
        if (blocked())
            offset_ += abi::record_size(abi::record_length(peek()));
    }
    // Closes such a record: its writer is known to be gone. False: it has been committed meanwhile.
    bool close() noexcept {
        std::uint64_t expected = peek();
        if (abi::record_state(expected) != abi::RecordState::reserved)
            return false;
        const std::uint64_t closed = abi::record_header(
            abi::record_length(expected), abi::record_writer(expected), abi::RecordState::closed);
        return header().compare_exchange_strong(expected, closed, std::memory_order_acq_rel);
    }
    // Where the next record begins, in bytes.
    [[nodiscard]] std::uint64_t offset() const noexcept { return offset_; }

private:
    [[nodiscard]] std::atomic_ref<std::uint64_t> header() const noexcept {
        return std::atomic_ref<std::uint64_t>(
            *reinterpret_cast<std::uint64_t*>(memory_.data() + offset_));
    }
    // The header here; zero (free) where none fits or its length leads out of the region.
    [[nodiscard]] std::uint64_t peek() const noexcept {
        if (memory_.size() < abi::kRecordHeader || offset_ > memory_.size() - abi::kRecordHeader)
            return 0;
        // SYNC(record-committed): acquire, pairs with the writer's release.
        const std::uint64_t found = header().load(std::memory_order_acquire);
        return abi::record_size(abi::record_length(found)) <= memory_.size() - offset_ ? found : 0;
    }

    std::span<std::byte> memory_;
    std::uint64_t offset_ = 0;
};

}  // namespace causeway
