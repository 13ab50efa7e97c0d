// Segment: an opening of a named segment, mapped or read by copies.
//
// Threading: name(), data(), size() and writable() may be called from any thread; read() and
// check() too, but for close() and destruction. Ownership: owns its mapping; the file goes to the
// partition's holdings, to be handed to the next adapter.
//
// Invariants:
//  1. The mapping is writable only where the adapter granted that; a child of fork() does not have
//     it.
//  2. Nothing is mapped that is not sealed in its size: whoever else has it cannot make this
//     process fault by truncating it.
#pragma once

#include <causeway/abi/segment.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "client/partition.hpp"
#include "client/region.hpp"
#include "platform/mapping.hpp"

namespace causeway::client {

class Segment {
public:
    [[nodiscard]] static Result<Segment> open(std::shared_ptr<Partition> partition,
                                              const std::string& name, abi::SegmentAccess access);
    Segment(Segment&& other) noexcept;
    Segment& operator=(Segment&&) = delete;
    Segment(const Segment&) = delete;
    Segment& operator=(const Segment&) = delete;
    ~Segment();

    [[nodiscard]] Partition& partition() const noexcept { return *partition_; }
    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] std::byte* data() const noexcept { return mapping_.data(); }  // null: by copies
    [[nodiscard]] std::uint64_t size() const noexcept { return terms_.size; }
    [[nodiscard]] bool writable() const noexcept {
        return terms_.access == static_cast<std::uint32_t>(abi::SegmentAccess::write);
    }

    [[nodiscard]] Result<void> read(std::uint64_t offset, const Region& into, std::uint64_t at,
                                    std::uint64_t length);
    [[nodiscard]] Result<void> check();
    [[nodiscard]] Result<void> close();

private:
    Segment(std::shared_ptr<Partition> partition, std::string name) noexcept
        : partition_(std::move(partition)), name_(std::move(name)) {}
    [[nodiscard]] Result<void> take(const abi::OpenSegmentReply& terms,
                                    const platform::UniqueFd& memory, abi::SegmentAccess wanted);
    [[nodiscard]] Result<void> read_by_copies(std::uint64_t offset, const Region& into,
                                              std::uint64_t at, std::uint64_t length);

    std::shared_ptr<Partition> partition_;
    std::string name_;
    abi::OpenSegmentReply terms_{};  // segment 0: not open (any more)
    platform::Mapping mapping_;
};

}  // namespace causeway::client
