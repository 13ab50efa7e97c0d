// What the adapter makes for executor direct (Fig 12) and then lets go of: inbound memory, and the
// bells between two partitions. Once both sides have fetched theirs, the adapter holds nothing.
//
// Threading: make_* from any thread (they take the kernel a while), the rest on the control thread.
//
// Invariants:
//  1. What a side has not fetched yet counts against the quota of the partition that is to fetch
//     it: a partition that connects and never fetches fills nobody's quota but its own.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

#include "adapter/end.hpp"
#include "base/result.hpp"
#include "platform/fd.hpp"

namespace causeway::adapter {

// The inbound memory of a direct connection's end, to be fetched once by each of the two peers.
struct Inbound {
    platform::UniqueFd memory;
    std::uint64_t size = 0;
    bool given_to_owner = false;
    bool given_to_peer = false;
};
// Sealed and filled, with its header written.
[[nodiscard]] Result<Inbound> make_inbound(const EndOptions& options);

// Whom a bell wakes, and who rings it.
struct BellKey {
    std::uint32_t waker = 0;        // session
    std::uint32_t waiter = 0;       // session
    std::uint32_t completions = 0;  // doorbell of the waiter's completion queue
    auto operator<=>(const BellKey&) const = default;
};

struct Bell {
    BellKey key;

    // What one side has not fetched yet, and the id under which it has opened the bell (0: not
    // yet).
    struct Side {
        platform::UniqueFd page;
        platform::UniqueFd socket;
        std::uint32_t doorbell = 0;
        std::string entrance;

        [[nodiscard]] std::uint64_t files() const noexcept {
            return std::uint64_t{page.valid()} + socket.valid();
        }
    };
    Side waiter;
    Side waker;
};
[[nodiscard]] Result<Bell> make_bell(const BellKey& key);

// A second descriptor of the same file.
[[nodiscard]] Result<platform::UniqueFd> duplicate(const platform::UniqueFd& fd);

}  // namespace causeway::adapter
