// LinkTable: the connections of a listening end by number, and the tokens that name a held message
// of one of them.
//
// Threading: its owner's thread.
// Ownership: owns the links. One that has ended stays as long as a message of it is held.
//
// Invariants:
//  1. A token that holder_of() accepts names a message that is held: one that was released, or
//     whose connection has gone, is refused, also after its number was given to another connection.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "ipc/link.hpp"

namespace causeway::ipc::inner {

class LinkTable {
public:
    static constexpr std::uint32_t kMost = 0x10000;

    // Throws std::bad_alloc only. False: there are too many, and the link was let go.
    bool add(std::unique_ptr<Link> link);
    // Null: the token names nothing that is held.
    [[nodiscard]] Link* holder_of(std::uint64_t token) const noexcept;
    [[nodiscard]] std::uint64_t token_of(const Link& link, std::uint32_t buffer) const noexcept {
        return std::uint64_t{entries_[link.index].lap} << 48 | std::uint64_t{link.index} << 32 |
               buffer;
    }
    [[nodiscard]] static std::uint32_t buffer_of(std::uint64_t token) noexcept {
        return static_cast<std::uint32_t>(token);
    }
    // Lets go of ended links of which no message is held. Nobody may have a completion of theirs.
    void sweep() noexcept;
    [[nodiscard]] std::uint32_t living() const noexcept;
    // f(link) for each.
    template<typename F>
    void each(F&& f) const {
        for (const Entry& entry : entries_) {
            if (entry.link)
                f(*entry.link);
        }
    }

private:
    struct Entry {
        std::unique_ptr<Link> link;
        std::uint16_t lap = 1;
    };
    std::vector<Entry> entries_;
};

}  // namespace causeway::ipc::inner
