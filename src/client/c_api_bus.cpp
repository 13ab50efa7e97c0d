// The C ABI: the bus.
#include <string>
#include <vector>

#include "client/bus.hpp"
#include "client/c_api.hpp"

using namespace causeway;                // NOLINT(google-build-using-namespace)
using namespace causeway::client;        // NOLINT(google-build-using-namespace)
using namespace causeway::client::capi;  // NOLINT(google-build-using-namespace)

struct cw_bus {
    Bus bus;
};

namespace {

constexpr char kNoBus[] = "no bus given (NULL)";

static_assert(CW_CONTROLLER_UP == static_cast<int>(abi::ControllerState::up));
static_assert(CW_CONTROLLER_AWAY == static_cast<int>(abi::ControllerState::away));
static_assert(CW_BUS_ARRIVED == static_cast<int>(BusChange::What::arrived));
static_assert(CW_BUS_DEPARTED == static_cast<int>(BusChange::What::departed));
static_assert(CW_BUS_CHANGED == static_cast<int>(BusChange::What::changed));

// Shows `f` the controller as C sees it.
template<typename F>
void show(const SeenController& seen, F&& f) {
    std::vector<const char*> users;
    users.reserve(seen.users.size());
    for (const std::string& user : seen.users)
        users.push_back(user.c_str());
    cw_controller controller{};
    controller.partition = seen.partition.c_str();
    controller.service = seen.service.c_str();
    controller.type = static_cast<std::uint32_t>(seen.type);
    controller.state = static_cast<cw_controller_state>(seen.state);
    controller.connections = seen.connections;
    controller.user_count = static_cast<std::uint32_t>(users.size());
    controller.users = users.data();
    controller.number = seen.number;
    f(controller);
}

}  // namespace

int cw_bus_open(cw_partition* partition, const char* socket, cw_bus** out) {
    if (out == nullptr)
        return missing("no place for the result given (NULL)");
    if (partition != nullptr && !partition->shared->here())
        return forked();
    return make(out, [&] {
        return partition != nullptr ? Bus::of(partition->shared)
                                    : Bus::observed(socket != nullptr ? socket : "");
    });
}

int cw_bus_list(cw_bus* bus, void (*controller)(const cw_controller* controller, void* user),
                void* user) {
    if (bus == nullptr)
        return missing(kNoBus);
    if (controller == nullptr)
        return missing("no function for the controllers given (NULL)");
    if (!bus->bus.here())
        return forked();
    return guarded([&]() -> Result<void> {
        CW_TRY_ASSIGN(const auto all, bus->bus.list());
        for (const SeenController& each : all)
            show(each, [&](const cw_controller& shown) { controller(&shown, user); });
        return {};
    });
}

int cw_bus_watch(cw_bus* bus, uint64_t timeout_ns,
                 void (*change)(cw_bus_change change, const cw_controller* controller, void* user),
                 void* user) {
    if (bus == nullptr)
        return missing(kNoBus);
    if (change == nullptr)
        return missing("no function for the changes given (NULL)");
    if (!bus->bus.here())
        return forked();
    return guarded([&]() -> Result<void> {
        CW_TRY_ASSIGN(const auto changes, bus->bus.watch(timeout_ns));
        for (const BusChange& each : changes)
            show(each.controller, [&](const cw_controller& shown) {
                change(static_cast<cw_bus_change>(each.what), &shown, user);
            });
        return {};
    });
}

void cw_bus_close(cw_bus* bus) { delete bus; }
