// The fabric's bus: the controllers on it (services that were announced as such), who uses them,
// and how they come and go.
//
//   auto listener = partition.listen("lan0", 16, causeway::ControllerType::network).value();
//   for (const causeway::Controller& c : partition.controllers().value()) ...
//
//   auto bus = causeway::Bus::open(partition).value();
//   for (const causeway::BusChange& change : bus.watch(10s).value()) ...
#pragma once

#include <causeway/error.hpp>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace causeway {

// What a controller is for. One of a later release may be none of these.
enum class ControllerType {
    none = CW_CONTROLLER_NONE,  // no controller: an ordinary service
    network = CW_CONTROLLER_NETWORK,
    block = CW_CONTROLLER_BLOCK,
    security = CW_CONTROLLER_SECURITY,
    other = CW_CONTROLLER_OTHER
};

// How a controller is.
enum class ControllerState {
    up = CW_CONTROLLER_UP,
    away = CW_CONTROLLER_AWAY  // its partition has not come back to this adapter yet
};

// A controller on the bus; it is connected to as "partition/service".
struct Controller {
    // Names it as long as it is there, also at the next adapter.
    std::uint64_t number = 0;
    // What it is for.
    ControllerType type = ControllerType::none;
    // How it is.
    ControllerState state = ControllerState::up;
    // Whose it is.
    std::string partition;
    // As what its partition offers it.
    std::string service;
    // Accepted and not let go of by either end, as far as the asker may know.
    std::uint32_t connections = 0;
    // The partitions that have these connections, by name.
    std::vector<std::string> users;

    // In everything.
    [[nodiscard]] bool operator==(const Controller&) const = default;
};

// What has become of a controller.
struct BusChange {
    // Changed: in its state, or in who uses it.
    enum class What {
        arrived = CW_BUS_ARRIVED,
        departed = CW_BUS_DEPARTED,
        changed = CW_BUS_CHANGED
    };
    // Which of these.
    What what = What::arrived;
    // As it is now; of one that has departed: as it was.
    Controller controller;
};

// A look at the bus, as cw_bus of the C API. One thread at a time. Moved, not copied.
//
// A partition sees its own controllers and those that it may connect to, an observer what the
// partition of its entrance would see, at the open entrance all. At a named entrance one sees among
// the users of others' controllers oneself only.
class Bus {
public:
    Bus() = default;
    explicit Bus(cw_bus* raw) noexcept : handle_(raw) {}

    // As the partition sees it.
    [[nodiscard]] static Result<Bus> open(cw_partition* partition) {
        return open_as(partition, nullptr);
    }
    // The same, of anything that has one, such as Partition.
    template<typename P>
    [[nodiscard]] static Result<Bus> open(const P& partition) {
        return open_as(partition.raw(), nullptr);
    }
    // Without joining as a partition. `socket` may be empty, as when attaching.
    [[nodiscard]] static Result<Bus> observe(const std::string& socket = {}) {
        return open_as(nullptr, socket.empty() ? nullptr : socket.c_str());
    }

    // All controllers that there are now, by number. Errors: no_adapter, adapter_gone.
    [[nodiscard]] Result<std::vector<Controller>> controllers() {
        std::vector<Controller> all;
        const int code = cw_bus_list(
            handle_.get(),
            [](const cw_controller* each, void* user) {
                static_cast<std::vector<Controller>*>(user)->push_back(controller(*each));
            },
            &all);
        if (code != CW_OK)
            return detail::last_error(code);
        return all;
    }
    // How the bus differs from what the last call told: departures, arrivals, then other changes;
    // the first call tells of all as arrived. Waits for a difference; none: the time is over, or a
    // signal came. For an epoll loop: with timeout 0 when Partition::event_fd() was readable.
    // Errors: no_adapter, adapter_gone; a later call of an observer goes on with the next adapter.
    [[nodiscard]] Result<std::vector<BusChange>> watch(std::chrono::nanoseconds timeout) {
        std::vector<BusChange> changes;
        const int code = cw_bus_watch(
            handle_.get(), static_cast<std::uint64_t>(timeout.count()),
            [](cw_bus_change what, const cw_controller* each, void* user) {
                static_cast<std::vector<BusChange>*>(user)->push_back(
                    {static_cast<BusChange::What>(what), controller(*each)});
            },
            &changes);
        if (code != CW_OK)
            return detail::last_error(code);
        return changes;
    }
    [[nodiscard]] cw_bus* raw() const noexcept { return handle_.get(); }

private:
    [[nodiscard]] static Result<Bus> open_as(cw_partition* partition, const char* socket) {
        cw_bus* raw = nullptr;
        if (const int code = cw_bus_open(partition, socket, &raw); code != CW_OK)
            return detail::last_error(code);
        return Bus(raw);
    }
    [[nodiscard]] static Controller controller(const cw_controller& c) {
        return {.number = c.number,
                .type = static_cast<ControllerType>(c.type),
                .state = static_cast<ControllerState>(c.state),
                .partition = c.partition,
                .service = c.service,
                .connections = c.connections,
                .users = {c.users, c.users + c.user_count}};
    }
    detail::Handle<cw_bus, cw_bus_close> handle_;
};

}  // namespace causeway
