// RawPeer: a partition without the library. It speaks the control protocol properly, maps the
// memory that it is given, and from there on writes whatever a test wants to write.
//
// Threading: one thread, except that the mapped bytes may be written by any.
// Ownership: owns connection, memory and sockets; everything ends with it.
//
// Errors of its own control requests throw: a test expects those to work.
#pragma once

#include <causeway/abi/control.hpp>
#include <causeway/abi/doorbell.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>

#include "base/names.hpp"
#include "control/channel.hpp"
#include "platform/mapping.hpp"
#include "platform/memfd.hpp"
#include "shm/doorbell.hpp"
#include "shm/queue_pair_view.hpp"

namespace causeway::test {

struct RawBell {
    std::uint32_t id = 0;
    platform::UniqueFd file;
    platform::Mapping page;
    platform::UniqueFd socket;
};

struct RawRegion {
    platform::UniqueFd file;
    platform::Mapping memory;
    std::uint32_t handle = 0;
    std::uint32_t generation = 0;

    [[nodiscard]] std::uint64_t address() const { return memory.address(); }
    [[nodiscard]] std::span<std::byte> bytes() const { return {memory.data(), memory.size()}; }
    [[nodiscard]] abi::AddressSegment at(std::uint64_t offset) const {
        return {handle, generation, address() + offset};
    }
    [[nodiscard]] abi::DataSegment piece(std::uint64_t offset, std::uint32_t length) const {
        return {length, handle, address() + offset};
    }
};

struct RawPair {
    abi::CreateQueuePairReply reply{};
    platform::UniqueFd file;
    platform::Mapping memory;
    shm::QueuePairView view;
    shm::DescriptorProducer sends;
    shm::DescriptorProducer receives;
    shm::CompletionConsumer send_completions;
    shm::CompletionConsumer receive_completions;

    [[nodiscard]] std::span<std::byte> bytes() const { return {memory.data(), memory.size()}; }
    // As this memory says; true only while nobody has written there but the adapter.
    [[nodiscard]] abi::QueuePairState state() const {
        return static_cast<abi::QueuePairState>(
            view.layout().state.load(std::memory_order_acquire));
    }
    [[nodiscard]] bool ended() const { return state() > abi::QueuePairState::connected; }
    // Takes all completions; the number of send completions. Frees their slots.
    std::uint32_t take_all();
    std::optional<abi::Completion> take_send();
};

class RawPeer {
public:
    RawPeer(const std::string& socket, const std::string& name);

    [[nodiscard]] RawBell open_bell(abi::DoorbellKind kind, std::uint32_t index = 0);
    [[nodiscard]] RawRegion allocate(std::uint64_t size, std::uint32_t rights);
    void deregister(const RawRegion& region);
    [[nodiscard]] RawPair create_pair(const abi::QueuePairShape& shape,
                                      abi::Patience patience = abi::Patience::error);
    // Connects and waits until the other side has accepted or refused; true if connected.
    bool connect(RawPair& pair, const std::string& target,
                 abi::Executor executor = abi::Executor::any);
    [[nodiscard]] std::uint32_t listen(const std::string& service);
    bool accept(std::uint32_t listener, RawPair& pair, abi::Executor executor = abi::Executor::any);
    void disconnect(const RawPair& pair);

    // Executor direct: opened once under each number, and kept.
    [[nodiscard]] std::shared_ptr<RawBell> peer_bell(abi::DoorbellKind kind, std::uint32_t number);
    void close_peer_bell(std::uint32_t number);

    // Rings the mover for `pair`, whether it wants to be rung or not.
    void ring(const RawPair& pair);

    [[nodiscard]] control::Channel& channel() noexcept { return channel_; }
    [[nodiscard]] RawBell& mover() noexcept { return mover_; }
    [[nodiscard]] RawBell& completions() noexcept { return completions_; }
    [[nodiscard]] RawBell& events() noexcept { return events_; }
    // Has the adapter ended the session?
    [[nodiscard]] bool evicted();

private:
    control::Channel channel_;
    RawBell completions_;
    RawBell events_;
    RawBell mover_;
    std::map<std::uint32_t, std::shared_ptr<RawBell>> peer_bells_;
};

// A descriptor with everything else zero; the ring fills in the phase.
[[nodiscard]] abi::Descriptor make_descriptor(abi::Opcode opcode, std::uint8_t flags);

}  // namespace causeway::test
