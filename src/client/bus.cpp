#include "client/bus.hpp"

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <utility>

#include "base/names.hpp"
#include "client/deadline.hpp"
#include "client/nap.hpp"
#include "client/stats.hpp"

namespace causeway::client {
namespace {

constexpr std::uint64_t kPollNs = 250'000'000;         // an observer has no events
constexpr std::uint64_t kAskAgainNs = 10'000'000'000;  // a partition is told: only to be sure
constexpr int kMostReadings = 8;                       // of a bus that changes meanwhile

// The bus has changed since the first page.
[[nodiscard]] tl::unexpected<Error> torn() {
    return fail(ErrorCode::again, "the bus changed while it was read");
}

// All rows of one kind. `generation`: of the first page; 0: not known yet. again: another page says
// another one, and `whole` is wanted.
template<typename Row>
[[nodiscard]] Result<std::vector<Row>> all_rows(control::Channel& channel, abi::BusRequest request,
                                                std::uint64_t& generation, bool whole) {
    std::vector<Row> rows;
    do {
        CW_TRY_ASSIGN(const auto page, channel.bus<Row>(request));
        if (generation == 0)
            generation = page.generation;
        if (whole && page.generation != generation)
            return torn();
        rows.insert(rows.end(), page.rows.begin(), page.rows.end());
        if (page.next != 0 && page.next <= request.cursor) {
            channel.close();
            return fail(ErrorCode::protocol, "the adapter sends the same page of the bus twice");
        }
        request.cursor = page.next;
        request.flags = 0;
        request.known = 0;
    } while (request.cursor != 0);
    return rows;
}

[[nodiscard]] Result<std::vector<std::string>> users_of(control::Channel& channel,
                                                        std::uint64_t controller,
                                                        std::uint64_t& generation, bool whole) {
    auto request = control::make<abi::BusRequest>(abi::Request::bus);
    request.kind = static_cast<std::uint32_t>(abi::BusKind::users);
    request.controller = controller;
    auto rows = all_rows<abi::BusUserRow>(channel, request, generation, whole);
    if (!rows.has_value() && rows.error().code == ErrorCode::not_found)
        return torn();
    CW_TRY(rows);
    std::vector<std::string> users;
    for (const abi::BusUserRow& row : *rows) {
        CW_TRY_ASSIGN(users.emplace_back(), load_name("partition", row.partition));
    }
    return users;
}

}  // namespace

std::vector<BusChange> changes_between(const std::vector<SeenController>& before,
                                       const std::vector<SeenController>& after) {
    const auto same_in = [](const std::vector<SeenController>& list, const SeenController& one) {
        const auto found = std::lower_bound(
            list.begin(), list.end(), one.number,
            [](const SeenController& each, std::uint64_t number) { return each.number < number; });
        return found != list.end() && found->is(one) ? &*found : nullptr;
    };
    std::vector<BusChange> changes;
    for (const SeenController& one : before) {
        if (same_in(after, one) == nullptr)
            changes.push_back({BusChange::What::departed, one});
    }
    for (const SeenController& one : after) {
        if (same_in(before, one) == nullptr)
            changes.push_back({BusChange::What::arrived, one});
    }
    for (const SeenController& one : after) {
        if (const auto* was = same_in(before, one); was != nullptr && *was != one)
            changes.push_back({BusChange::What::changed, one});
    }
    return changes;
}

Result<Bus> Bus::of(std::shared_ptr<Partition> partition) {
    CW_TRY(partition->usable());
    const ForkGuard guard = partition->guard();
    return Bus(guard, std::move(partition), {});
}

Result<Bus> Bus::observed(std::string socket) {
    CW_TRY_ASSIGN(const ForkGuard guard, ForkGuard::of_this_process());
    return Bus(guard, nullptr, std::move(socket));
}

Result<Bus::Snapshot> Bus::read(control::Channel& channel, std::uint64_t known,
                                std::uint32_t flags) {
    auto request = control::make<abi::BusRequest>(abi::Request::bus);
    request.flags = flags;
    request.known = known;
    for (int reading = 1;; ++reading) {
        const bool whole = reading < kMostReadings;
        Snapshot snapshot;
        const auto read_once = [&]() -> Result<void> {
            CW_TRY_ASSIGN(const auto rows, all_rows<abi::ControllerRow>(
                                               channel, request, snapshot.generation, whole));
            snapshot.unchanged = known != 0 && snapshot.generation == known && rows.empty();
            for (const abi::ControllerRow& row : rows) {
                SeenController& one = snapshot.controllers.emplace_back();
                one.number = row.controller;
                one.type = static_cast<abi::ControllerType>(row.type);
                one.state = static_cast<abi::ControllerState>(row.state);
                one.connections = row.connections;
                CW_TRY_ASSIGN(one.partition, load_name("partition", row.partition));
                CW_TRY_ASSIGN(one.service, load_name("service", row.service));
                if (row.users == 0)
                    continue;
                auto users = users_of(channel, row.controller, snapshot.generation, whole);
                if (!users.has_value() && (whole || users.error().code != ErrorCode::again))
                    return tl::unexpected<Error>(std::move(users).error());
                if (users.has_value())
                    one.users = std::move(*users);
            }
            return {};
        };
        if (auto done = read_once(); done.has_value())
            return snapshot;
        else if (done.error().code != ErrorCode::again || !whole)
            return tl::unexpected<Error>(std::move(done).error());
        request.known = 0;
    }
}

Result<Bus::Snapshot> Bus::look(std::uint64_t known, std::uint32_t flags) {
    if (partition_ != nullptr) {
        return partition_->adapter().transact(
            [&](control::Channel& channel) { return read(channel, known, flags); });
    }
    if (!channel_.open()) {
        CW_TRY_ASSIGN(channel_, observe(socket_));
    }
    return read(channel_, known, 0);
}

Result<std::vector<SeenController>> Bus::list() {
    CW_TRY_ASSIGN(Snapshot snapshot, look(0, 0));
    return std::move(snapshot.controllers);
}

Bus::Waited Bus::wait(std::uint32_t ticket, std::uint64_t limit_ns) {
    if (partition_ == nullptr) {
        const timespec pause = timespec_of(std::min(limit_ns, kPollNs));
        return ::nanosleep(&pause, nullptr) == 0 ? Waited::yes : Waited::interrupted;
    }
    const Deadline over(std::min(limit_ns, kAskAgainNs));
    while (const std::uint64_t left = over.left_ns()) {
        if (partition_->await_event(ticket, left) != EventWaiter::Waited::napped)
            break;
        // As in Listener::accept(): a nap makes tickets old, and what comes shows by its byte.
        ticket = partition_->event_ticket();
    }
    return Waited::yes;
}

Result<std::vector<BusChange>> Bus::watch(std::uint64_t timeout_ns) {
    const Deadline deadline(timeout_ns);
    for (;;) {
        // Before the look: what changes after it makes the ticket old.
        const std::uint32_t ticket = partition_ != nullptr ? partition_->event_ticket() : 0;
        CW_TRY_ASSIGN(Snapshot snapshot, look(known_, abi::bus_flag::kTell));
        if (!snapshot.unchanged) {
            std::vector<BusChange> changes = changes_between(told_of_, snapshot.controllers);
            told_of_ = std::move(snapshot.controllers);
            known_ = snapshot.generation;
            if (!changes.empty())
                return changes;
        }
        const std::uint64_t left = deadline.left_ns();
        if (left == 0 || wait(ticket, left) == Waited::interrupted)
            return std::vector<BusChange>();
    }
}

}  // namespace causeway::client
