// Bus: what a partition, or an observer, sees of the controllers on the fabric (Fig 4), and how
// that differs from what it saw last.
//
// Threading: one thread at a time.
// Ownership: shares its partition; owns the connection of an observer.
//
// Invariants:
//  1. A list is of one moment, unless the bus changes faster than it is read again and again; then
//     the next watch() tells of what was missed.
//  2. Where the adapter has gone an observer connects anew with the next call, and a watch goes on
//     from what it saw last.
#pragma once

#include <causeway/abi/bus.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "client/fork_guard.hpp"
#include "client/partition.hpp"
#include "control/channel.hpp"

namespace causeway::client {

struct SeenController {
    std::uint64_t number = 0;
    abi::ControllerType type{};
    abi::ControllerState state{};
    std::string partition;
    std::string service;
    std::uint32_t connections = 0;
    std::vector<std::string> users;  // partitions, in order

    [[nodiscard]] bool operator==(const SeenController&) const = default;
    // The same one, whatever has become of it? (Numbers may begin anew with another adapter.)
    [[nodiscard]] bool is(const SeenController& other) const {
        return number == other.number && type == other.type && partition == other.partition &&
               service == other.service;
    }
};

struct BusChange {
    enum class What : std::uint8_t { arrived = 1, departed = 2, changed = 3 };
    What what;
    SeenController controller;

    [[nodiscard]] bool operator==(const BusChange&) const = default;
};

// Departures, then arrivals, then what has changed; both ordered by number.
[[nodiscard]] std::vector<BusChange> changes_between(const std::vector<SeenController>& before,
                                                     const std::vector<SeenController>& after);

class Bus {
public:
    // As `partition` sees it; or as an observer by `socket` (empty: the usual places), whose
    // connection is made with the first call.
    [[nodiscard]] static Result<Bus> of(std::shared_ptr<Partition> partition);
    [[nodiscard]] static Result<Bus> observed(std::string socket);

    [[nodiscard]] bool here() const noexcept { return guard_.here(); }
    // All there are now, by number.
    [[nodiscard]] Result<std::vector<SeenController>> list();
    // How the bus differs from what the last watch() told (at first: from nothing). Waits for a
    // difference, at most `timeout_ns`; none: that time is over, or a signal came.
    [[nodiscard]] Result<std::vector<BusChange>> watch(std::uint64_t timeout_ns);

private:
    struct Snapshot {
        std::uint64_t generation = 0;
        bool unchanged = false;
        std::vector<SeenController> controllers;
    };
    enum class Waited : std::uint8_t { yes, interrupted };

    Bus(ForkGuard guard, std::shared_ptr<Partition> partition, std::string socket)
        : guard_(guard), partition_(std::move(partition)), socket_(std::move(socket)) {}
    [[nodiscard]] Result<Snapshot> look(std::uint64_t known, std::uint32_t flags);
    [[nodiscard]] static Result<Snapshot> read(control::Channel& channel, std::uint64_t known,
                                               std::uint32_t flags);
    [[nodiscard]] Waited wait(std::uint32_t ticket, std::uint64_t limit_ns);

    ForkGuard guard_;
    std::shared_ptr<Partition> partition_;  // none: an observer
    std::string socket_;
    control::Channel channel_;             // the observer's
    std::vector<SeenController> told_of_;  // by watch()
    std::uint64_t known_ = 0;              // their generation
};

}  // namespace causeway::client
