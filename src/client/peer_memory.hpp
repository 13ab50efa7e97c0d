// PeerMemory: the regions of one direct peer that this partition was granted, mapped (Fig 12: the
// adapter translates once and returns the addresses).
//
// Threading: the thread of the completion queue that holds it.
// Ownership: owns the mappings. A grant lasts until forget(), which the adapter asks for whenever
// the peer has deregistered something.
//
// Invariants:
//  1. The table holds exactly what is mapped.
//  2. What was reached stays mapped as long as its Reached is held, also beyond forget().
//  3. Only what the adapter resolved is in it: a handle from the peer's memory leads to a question,
//     never to an address, and to a bounded number of questions (RefusedClaims).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/result.hpp"
#include "client/partition.hpp"
#include "client/refused_claims.hpp"
#include "engine/endpoint.hpp"
#include "engine/region_table.hpp"
#include "platform/mapping.hpp"

namespace causeway::client {

// A stretch of a peer's memory that is used beside the descriptors, such as by a device.
struct Reached {
    std::byte* at = nullptr;
    std::shared_ptr<const void> hold;  // keeps it mapped
};

class PeerMemory {
public:
    [[nodiscard]] const engine::RegionTable& table() const noexcept { return table_; }
    // Maps the peer's region `handle`, asking on behalf of `queue_pair`. None: it cannot be asked
    // now, as the adapter or the peer is away; peer_gone, also where it is so for good.
    [[nodiscard]] std::optional<abi::Status> obtain(Partition& partition, std::uint32_t queue_pair,
                                                    std::uint32_t handle,
                                                    engine::Claim claim) noexcept;
    // `length` bytes of a mapped region, if it grants all of `rights`; else `at` is null.
    [[nodiscard]] Reached reach(const abi::AddressSegment& remote, std::uint64_t length,
                                std::uint32_t rights) const noexcept;
    // Has the peer claimed more regions that are not there than an honest one can?
    [[nodiscard]] bool overdone() const noexcept { return overdone_; }
    // Lets go of everything.
    void forget() noexcept;
    // A forked child: the mappings are not there.
    void abandon() noexcept;

private:
    struct Granted {
        engine::Region region;
        platform::Mapping memory;
    };
    [[nodiscard]] Result<void> map(Partition& partition, std::uint32_t queue_pair,
                                   std::uint32_t handle);

    engine::RegionTable table_;
    RefusedClaims refused_;
    bool overdone_ = false;
    std::uint64_t ask_again_ns_ = 0;  // not before
    std::vector<std::shared_ptr<Granted>> granted_;
};

}  // namespace causeway::client
