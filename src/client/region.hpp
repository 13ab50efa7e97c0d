// Region: registered memory of this partition.
//
// Threading: data(), size(), handle() and remote() may be called from any thread; the rest from one
// thread at a time.
// Ownership: owns its memory; adopted memory goes back to the caller. close() or the destructor
// deregisters first, so that the adapter never reaches memory that is not the region's any more.
#pragma once

#include <causeway/causeway.h>

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/result.hpp"
#include "client/partition.hpp"
#include "client/region_memory.hpp"

namespace causeway::client {

struct RegionTerms {
    std::uint32_t access = 0;  // CW_ACCESS_*
    std::uint32_t flags = 0;   // CW_HUGE_PAGES, CW_ZERO_BASED
};

class Region {
public:
    // Both throw std::bad_alloc only.
    [[nodiscard]] static Result<Region> allocate(std::shared_ptr<Partition> partition,
                                                 std::uint64_t size, const RegionTerms& terms);
    [[nodiscard]] static Result<Region> adopt(std::shared_ptr<Partition> partition, void* address,
                                              std::uint64_t size, const RegionTerms& terms);
    Region(Region&& other) noexcept;
    Region& operator=(Region&&) = delete;
    Region(const Region&) = delete;
    Region& operator=(const Region&) = delete;
    ~Region();

    [[nodiscard]] Partition& partition() const noexcept { return *partition_; }
    [[nodiscard]] std::byte* data() const noexcept { return memory_.data(); }
    [[nodiscard]] std::uint64_t size() const noexcept { return memory_.size(); }
    [[nodiscard]] std::uint32_t handle() const noexcept { return registered_.handle; }
    [[nodiscard]] cw_remote remote(std::uint64_t offset) const noexcept {
        return {registered_.handle, registered_.generation, base_ + offset};
    }
    [[nodiscard]] Result<std::uint64_t> append_offset() const;

    // Deregisters; the memory stays until this object goes. True: a direct peer was given it, and
    // still reaches it; or may have been, where no adapter is there to ask.
    [[nodiscard]] Result<bool> deregister();
    // Takes rights of peers away; true as above.
    [[nodiscard]] Result<bool> narrow(std::uint32_t access);
    [[nodiscard]] Result<void> close() {
        CW_TRY(deregister());
        return {};
    }

private:
    Region(std::shared_ptr<Partition> partition, RegionMemory memory) noexcept
        : partition_(std::move(partition)), memory_(std::move(memory)) {}
    [[nodiscard]] static Result<Region> enroll(Region region, const RegionTerms& terms);
    enum class Took : std::uint8_t { part, nothing };  // nothing: begin anew
    [[nodiscard]] Result<Took> enroll_part(std::uint32_t part, const RegionTerms& terms,
                                           std::uint32_t& epoch);

    std::shared_ptr<Partition> partition_;
    RegionMemory memory_;
    std::uint64_t base_ = 0;  // virtual address of the first byte in descriptors
    bool exportable_ = false;
    abi::RegisterReply registered_{};  // handle 0: not registered (any more)
};

}  // namespace causeway::client
