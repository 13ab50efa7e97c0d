// The bus: controllers that the asker may see, their users, and word of the next change.
//
// A cursor of controllers is the number of the next one; one of users is its place among them, and
// whoever finds another generation on a later page begins anew.
#include <fmt/format.h>

#include <iterator>

#include "adapter/stats_page.hpp"

namespace causeway::adapter {
namespace {

template<typename Row>
inline constexpr std::size_t kMostOnPage = (abi::kMaxMessage - sizeof(abi::BusReply)) / sizeof(Row);

template<typename Row>
Reply bus_page(const Call& call, const std::vector<Row>& rows, std::uint64_t next,
               std::uint64_t generation) {
    auto head = call.reply<abi::BusReply>();
    head.header.size = static_cast<std::uint32_t>(sizeof head + rows.size() * sizeof(Row));
    head.rows = static_cast<std::uint32_t>(rows.size());
    head.row_size = sizeof(Row);
    head.next = next;
    head.generation = generation;
    Reply reply = Reply::of(head);
    const auto bytes = std::as_bytes(std::span(rows));
    reply.bytes.insert(reply.bytes.end(), bytes.begin(), bytes.end());
    return reply;
}

BusViewer viewer_of(const Call& call) {
    if (call.partition != nullptr)
        return {.all = false, .party = party_of(*call.partition)};
    return {.all = call.entrance.empty(), .party = {call.entrance, call.entrance, 0}};
}

Reply controllers(const Call& call, const abi::BusRequest& request, const BusViewer& viewer,
                  std::uint64_t generation) {
    std::vector<abi::ControllerRow> rows;
    if (request.cursor == 0 && request.known == generation)
        return bus_page(call, rows, 0, generation);
    const Bus::Controllers& all = call.fabric.bus().controllers();
    for (auto it = all.lower_bound(request.cursor); it != all.end(); ++it) {
        const auto& [number, controller] = *it;
        if (!call.fabric.sees(viewer, controller))
            continue;
        if (rows.size() == kMostOnPage<abi::ControllerRow>)
            return bus_page(call, rows, number, generation);
        abi::ControllerRow& row = rows.emplace_back();
        row.controller = number;
        put(row.partition, controller.partition);
        put(row.service, controller.service);
        row.type = static_cast<std::uint32_t>(controller.type);
        row.state = static_cast<std::uint32_t>(controller.state);
        if (const auto only = Fabric::only_user(viewer, controller); !only.empty()) {
            row.connections = Bus::use_by(controller, only);
            row.users = row.connections != 0 ? 1 : 0;
        } else {
            row.connections = controller.connections;
            row.users = static_cast<std::uint32_t>(controller.users.size());
        }
    }
    return bus_page(call, rows, 0, generation);
}

Answer users(const Call& call, const abi::BusRequest& request, const BusViewer& viewer,
             std::uint64_t generation) {
    const Controller* const controller = call.fabric.bus().find(request.controller);
    if (controller == nullptr || !call.fabric.sees(viewer, *controller)) {
        return fail(ErrorCode::not_found,
                    fmt::format("there is no controller {:#x} on the bus, as far as this asker "
                                "sees: it has departed",
                                request.controller));
    }
    std::vector<abi::BusUserRow> rows;
    const auto add = [&](std::string_view user, std::uint32_t connections) {
        abi::BusUserRow& row = rows.emplace_back();
        put(row.partition, user);
        row.connections = connections;
    };
    if (const auto only = Fabric::only_user(viewer, *controller); !only.empty()) {
        if (const std::uint32_t own = Bus::use_by(*controller, only);
            own != 0 && request.cursor == 0)
            add(only, own);
        return bus_page(call, rows, 0, generation);
    }
    if (request.cursor >= controller->users.size())
        return bus_page(call, rows, 0, generation);
    auto it = std::next(controller->users.begin(), static_cast<std::ptrdiff_t>(request.cursor));
    for (; it != controller->users.end() && rows.size() < kMostOnPage<abi::BusUserRow>; ++it)
        add(it->first, it->second);
    const std::uint64_t next = it == controller->users.end() ? 0 : request.cursor + rows.size();
    return bus_page(call, rows, next, generation);
}

}  // namespace

Answer bus(Call& call) {
    CW_TRY_ASSIGN(const auto request, control::parse<abi::BusRequest>(call.bytes));
    const bool tell = (request.flags & abi::bus_flag::kTell) != 0;
    if ((request.flags & ~abi::bus_flag::kAll) != 0) {
        return fail(ErrorCode::invalid_argument,
                    fmt::format("bus: the flags {:#x} are not known", request.flags));
    }
    if (tell && call.partition == nullptr) {
        return fail(ErrorCode::invalid_argument,
                    "bus: an observer has no events by which to be told: ask again with the "
                    "generation that is known");
    }
    const auto kind = static_cast<abi::BusKind>(request.kind);
    if (kind != abi::BusKind::controllers && kind != abi::BusKind::users) {
        return fail(
            ErrorCode::invalid_argument,
            fmt::format("bus: kind {}: known are controllers (0) and users (1)", request.kind));
    }
    if (kind == abi::BusKind::controllers && request.controller != 0) {
        return fail(ErrorCode::invalid_argument,
                    "bus: a controller is named by who asks for its users only");
    }
    if (tell) {
        CW_TRY(events_of(call.fabric, *call.partition));
        call.fabric.tell_next_bus_change(*call.partition);
    }
    const BusViewer viewer = viewer_of(call);
    const std::uint64_t generation = call.fabric.bus_generation(viewer);
    if (kind == abi::BusKind::users)
        return users(call, request, viewer, generation);
    return controllers(call, request, viewer, generation);
}

}  // namespace causeway::adapter
