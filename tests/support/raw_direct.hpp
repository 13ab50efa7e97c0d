// RawDirect: a direct connection of a RawPeer, without the library: everything that a granted peer
// can write, mapped, and what it takes to behave as long as a test wants it to.
//
//   own_memory   this side's inbound memory: its receives, and the completions that the peer writes
//   peer_memory  the peer's inbound memory: the receives that the peer posted, and the completions
//                that this side writes
//   bell_in      the page at which this side waits and the peer rings
//   bell_out     the page at which the peer waits and this side rings
//
// Threading: one thread, except that the mapped bytes may be written by any.
// Ownership: owns memory, pages and sockets; borrows the peer.
#pragma once

#include <causeway/abi/completion.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "support/raw_peer.hpp"

namespace causeway::test {

// A region of the other side, as far as it was granted (its first part).
struct RawGrant {
    abi::ResolveReply terms{};
    platform::UniqueFd file;
    platform::Mapping memory;

    [[nodiscard]] std::span<std::byte> bytes() const { return {memory.data(), memory.size()}; }
};

class RawDirect {
public:
    RawDirect() = default;
    // Of `pair`, which is connected by executor direct; throws where the peer has gone already.
    RawDirect(RawPeer& peer, const RawPair& pair);

    // Says that this side's receives stand there, and rings.
    void begin();
    // Rings the peer's completion queue for the peer's end, asleep or not.
    void ring();
    [[nodiscard]] std::optional<RawGrant> resolve(std::uint32_t handle);

    // False: the peer has not ended as many as the ring holds.
    bool post_receive(const abi::DataSegment& segment);
    // As an honest sender does with a small message: takes the peer's next receive and completes it
    // with `bytes` in the payload. False: none is posted.
    bool send_small(std::span<const std::byte> bytes);
    // Writes `completion` as the next one that the peer will look at, whatever it says.
    void complete(const abi::Completion& completion) { completions.publish(completion); }
    // What the peer has completed of this side's receives; their slots are free again.
    std::uint32_t take_receives();
    // Closes both bells at the adapter: the next connection gets new ones.
    void give_up_bells();

    [[nodiscard]] bool valid() const { return peer_ != nullptr; }
    [[nodiscard]] std::span<std::byte> own_bytes() const {
        return {own_memory.data(), own_memory.size()};
    }
    [[nodiscard]] std::span<std::byte> peer_bytes() const {
        return {peer_memory.data(), peer_memory.size()};
    }

    abi::OpenDirectReply terms{};  // of the peer's side
    platform::UniqueFd own_file, peer_file;
    platform::Mapping own_memory, peer_memory;
    shm::QueuePairView own, peer;
    shm::DescriptorProducer receives;
    shm::CompletionConsumer receive_completions;
    shm::DescriptorConsumer peer_receives;
    shm::CompletionProducer completions;
    std::shared_ptr<RawBell> bell_in, bell_out;

private:
    RawPeer* peer_ = nullptr;
    std::uint32_t queue_pair_ = 0;
    std::uint64_t sequence_ = 0;
};

}  // namespace causeway::test
