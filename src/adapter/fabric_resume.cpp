// Coming back after a restart: what the journal of the last daemon tells, which partitions resume,
// and where their connections stand.
#include <fmt/format.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <set>
#include <utility>

#include "adapter/fabric.hpp"
#include "adapter/journal_check.hpp"
#include "base/names.hpp"
#include "platform/process.hpp"

namespace causeway::adapter {
namespace {

// One takes as long as any other, whatever it says.
[[nodiscard]] bool same_token(const std::uint8_t (&a)[abi::kTokenSize],
                              const std::uint8_t (&b)[abi::kTokenSize]) noexcept {
    unsigned differs = 0;
    for (std::size_t i = 0; i < abi::kTokenSize; ++i)
        differs |= static_cast<unsigned>(a[i] ^ b[i]);
    return differs == 0;
}

[[nodiscard]] bool has_gone(const PartitionCell& cell) noexcept {
    return cell.process_start != 0 &&
           platform::process_start(static_cast<pid_t>(cell.pid)) != cell.process_start;
}

template<typename Map>
[[nodiscard]] auto* found_in(const Map& map, std::uint32_t key) {
    const auto found = map.find(key);
    return found == map.end() ? nullptr : found->second;
}

}  // namespace

Result<PartitionCell*> Fabric::journal_partition(const Partition& partition) {
    CW_TRY_ASSIGN(auto* cell, journal_->add<PartitionCell>(partition.session));
    std::size_t done = 0;
    while (done < sizeof cell->token) {
        const ssize_t n = ::getrandom(cell->token + done, sizeof cell->token - done, 0);
        if (n < 0 && errno != EINTR)
            return fail_errno("getrandom for a partition's token", errno);
        done += n < 0 ? 0 : static_cast<std::size_t>(n);
    }
    CW_TRY(store_text(cell->name, partition.name));
    CW_TRY(store_text(cell->entrance, partition.entrance));
    cell->uid = partition.credentials.uid;
    note_process(*cell, partition.credentials);
    journal_->numbers().last_session =
        std::max(journal_->numbers().last_session, partition.session);
    Journal::publish(cell);
    return cell;
}

void Fabric::note_process(PartitionCell& cell, const platform::Credentials& credentials) noexcept {
    cell.process_start = platform::process_start(credentials.pid);
    cell.pid = cell.process_start != 0 ? static_cast<std::uint32_t>(credentials.pid) : 0;
}

void Fabric::journal_connection(const QueuePair& pair) noexcept {
    QueuePairCell& cell = *pair.end->options().journal;
    cell.peer_id = pair.peer_id;
    cell.wanted = static_cast<std::uint32_t>(pair.wanted);
    cell.executor = static_cast<std::uint32_t>(pair.executor);
    cell.listening_session = pair.listening_session;
    cell.listener = pair.listener;
    cell.accepted = pair.accepted ? 1 : 0;
    cell.bell_in = pair.bell_in;
    cell.unfetched.store(pair.unfetched, std::memory_order_relaxed);
    // A text that is kept already is left alone: it must not lack a part where this daemon dies
    // now.
    const auto keep = [](char(&to)[abi::kNameSize], const std::string& text) {
        char whole[sizeof to]{};
        std::memcpy(whole, text.data(), std::min(text.size(), sizeof to - 1));
        if (std::memcmp(to, whole, sizeof to) != 0)
            std::memcpy(to, whole, sizeof to);
    };
    keep(cell.peer, pair.peer);
    keep(cell.service, pair.service);
    keep(cell.why, pair.why);
    // SYNC(journal): last, with release: who finds the phase finds what belongs to it.
    cell.phase.store(static_cast<std::uint32_t>(pair.phase), std::memory_order_release);
}

// ---- what the last daemon left

void Fabric::read_journal(std::uint64_t until_ns) {
    if (!journal_->lasting())
        return;
    JournalNumbers& numbers = journal_->numbers();
    last_queue_pair_ = numbers.last_queue_pair;
    last_network_id_ = numbers.last_network_id;
    last_bell_ = numbers.last_bell;
    for (PartitionCell* cell : journal_->all<PartitionCell>()) {
        if (!sound(*cell) || has_gone(*cell) || names_.count(cell->name) != 0 ||
            estates_.count(cell->head.session) != 0) {
            journal_->free(cell);
            continue;
        }
        auto estate = std::make_unique<Estate>();
        estate->partition = cell;
        names_.emplace(cell->name, cell->head.session);
        estates_.emplace(cell->head.session, std::move(estate));
        numbers.last_session = std::max(numbers.last_session, cell->head.session);
    }
    journal_->sweep([this](std::uint32_t session) { return estates_.count(session) != 0; });
    collect_cells();
    keep_places(journal_->all<QueuePairCell>());
    expected_until_ns_ = until_ns;
    if (!estates_.empty())
        log_->info("{} partitions of the last daemon may come back", estates_.size());
}

// To each partition what is its own. What is not sound, or claims what another cell has, goes.
void Fabric::collect_cells() {
    const std::uint32_t movers = mover_count();
    const auto distribute = [this](const auto& cells, auto&& put) {
        for (auto* cell : cells) {
            if (!put(*estates_.at(cell->head.session), cell))
                journal_->free(cell);
        }
    };
    std::set<std::array<std::uint32_t, 3>> single;  // session, kind, index
    distribute(journal_->all<DoorbellCell>(), [&](Estate& of, DoorbellCell* cell) {
        const bool many = cell->kind == static_cast<std::uint32_t>(abi::DoorbellKind::completions);
        return sound(*cell, movers) && of.doorbells.count(cell->id) == 0 &&
               (many || single.insert({cell->head.session, cell->kind, cell->index}).second) &&
               of.doorbells.emplace(cell->id, cell).second;
    });
    std::set<std::uint32_t> network_ids;
    std::set<std::pair<std::uint32_t, std::uint32_t>> slots;  // session, slot of its region table
    distribute(journal_->all<RegionCell>(), [&](Estate& of, RegionCell* cell) {
        const std::uint32_t used = (cell->handle >> 16) + 1;
        const bool good = sound(*cell) && network_ids.count(cell->network_id) == 0 &&
                          slots.emplace(cell->head.session, cell->handle & 0xffff).second;
        if (good) {
            network_ids.insert(cell->network_id);
            of.regions.emplace(cell->handle, cell);
            of.partition->handle_uses = std::max(of.partition->handle_uses, used);
        }
        return good;
    });
    distribute(journal_->all<RegionFilesCell>(), [](Estate& of, RegionFilesCell* cell) {
        if (!sound(*cell) || of.regions.count(cell->handle) == 0)
            return false;
        of.region_files[cell->handle].push_back(cell);
        return true;
    });
    std::set<std::pair<std::uint32_t, std::string>> services;  // session, service
    distribute(journal_->all<ListenerCell>(), [&](Estate& of, ListenerCell* cell) {
        if (!sound(*cell) || of.listeners.count(cell->id) != 0 ||
            !services.emplace(cell->head.session, cell->service).second)
            return false;
        if (cell->controller != 0)
            announce(cell->head.session, cell->id,
                     {.type = static_cast<abi::ControllerType>(cell->controller),
                      .state = abi::ControllerState::away,
                      .partition = of.partition->name,
                      .entrance = of.partition->entrance,
                      .service = cell->service});
        return of.listeners.emplace(cell->id, cell).second;
    });
    distribute(journal_->all<SegmentCell>(), [](Estate& of, SegmentCell* cell) {
        return sound(*cell) && of.segments.emplace(cell->id, cell).second;
    });
    std::set<std::uint32_t> pairs;
    distribute(journal_->all<QueuePairCell>(), [&](Estate& of, QueuePairCell* cell) {
        return sound(*cell, movers) && pairs.insert(cell->id).second &&
               of.queue_pairs.emplace(cell->id, cell).second;
    });
}

// An Append that was cut off keeps its place, so that it can be done again there: nobody else gets
// it meanwhile.
void Fabric::keep_places(const std::vector<QueuePairCell*>& pairs) {
    std::unordered_map<std::uint32_t, std::uint32_t> sessions;  // by queue pair
    for (const QueuePairCell* pair : pairs)
        sessions.emplace(pair->id, pair->head.session);
    for (const QueuePairCell* pair : pairs) {
        const engine::Trace& trace = pair->trace;
        if (trace.append_of.load(std::memory_order_acquire) !=
            trace.sends.load(std::memory_order_relaxed) + 1)
            continue;
        const auto peer = sessions.find(pair->peer_id);
        if (peer == sessions.end())
            continue;
        RegionCell* const region = found_in(estates_.at(peer->second)->regions,
                                            static_cast<std::uint32_t>(trace.append_region.load()));
        // In one that is exportable the record's header keeps it.
        if (region == nullptr || (region->rights.load() & abi::right::kExportable) != 0)
            continue;
        const std::uint64_t length = std::min(trace.append_length.load(), region->size);
        const std::uint64_t at = std::min(trace.append_at.load(), region->size - length);
        region->append_offset.store(std::max(region->append_offset.load(), at + length));
    }
}

bool Fabric::expects_partitions() const noexcept {
    return !estates_.empty() ||
           std::any_of(partitions_.begin(), partitions_.end(), [](const auto& entry) {
               return entry.second->resuming != nullptr && !entry.second->ending;
           });
}

void Fabric::expire(std::uint64_t now_ns) {
    std::vector<std::uint32_t> gone;
    for (const auto& [session, estate] : estates_) {
        if (now_ns >= expected_until_ns_ || has_gone(*estate->partition))
            gone.push_back(session);
    }
    for (const std::uint32_t session : gone) {
        log_->info("partition {} (session {}) of the last daemon {}",
                   estates_.at(session)->partition->name, session,
                   now_ns >= expected_until_ns_ ? "has not come back in time" : "has died");
        give_up(session);
    }
    if (!gone.empty())
        settle_all();
    std::vector<std::uint32_t> late;
    for (const auto& [session, partition] : partitions_) {
        if (partition->resuming && !partition->ending &&
            now_ns - partition->resuming_since_ns >= options_.resume_patience_ns)
            late.push_back(session);
    }
    for (const std::uint32_t session : late)
        hooks_.evict(session, "it did not finish resuming in time");
}

void Fabric::give_up(std::uint32_t session) {
    const std::unique_ptr<Estate> estate = std::move(estates_.extract(session).mapped());
    const std::string name = estate->partition->name;
    drop(*estate);
    withdraw_all(session);
    journal_->free(estate->partition);
    free_name(name);
}

void Fabric::give_up_own(const std::string& name, const platform::Credentials& credentials) {
    const auto holder = names_.find(name);
    const auto found = holder == names_.end() ? estates_.end() : estates_.find(holder->second);
    if (found == estates_.end())
        return;
    const PartitionCell& cell = *found->second->partition;
    if (cell.process_start == 0 || cell.pid != static_cast<std::uint32_t>(credentials.pid) ||
        platform::process_start(credentials.pid) != cell.process_start)
        return;
    give_up(found->first);
    settle_all();
}

// Frees all cells of the estate, but for the partition's own.
void Fabric::drop(Estate& estate) noexcept {
    for (const auto& [id, cell] : estate.doorbells)
        journal_->free(cell);
    for (const auto& [handle, cell] : estate.regions)
        journal_->free(cell);
    for (const auto& [handle, cells] : estate.region_files) {
        for (RegionFilesCell* cell : cells)
            journal_->free(cell);
    }
    for (const auto& [id, cell] : estate.listeners)
        journal_->free(cell);
    for (const auto& [id, cell] : estate.queue_pairs)
        journal_->free(cell);
    for (const auto& [id, cell] : estate.segments)
        journal_->free(cell);
    PartitionCell* const partition = estate.partition;
    estate = {};
    estate.partition = partition;
}

// ---- a partition comes back

Result<Partition*> Fabric::resume(std::uint32_t session,
                                  const std::uint8_t (&token)[abi::kTokenSize],
                                  const std::string& entrance,
                                  const platform::Credentials& credentials) {
    const auto found = estates_.find(session);
    if (found == estates_.end()) {
        return fail(ErrorCode::not_found,
                    fmt::format("the journal knows no session {}: it has ended, or its time to "
                                "come back is over; attach anew",
                                session));
    }
    PartitionCell& cell = *found->second->partition;
    if (!same_token(token, cell.token) || entrance != cell.entrance ||
        credentials.uid != cell.uid) {
        return fail(ErrorCode::denied,
                    fmt::format("session {} is somebody else's: it is resumed by its own "
                                "partition only, by the entrance through which that came in",
                                session));
    }
    auto partition = std::make_shared<Partition>();
    partition->session = session;
    partition->name = cell.name;
    partition->entrance = entrance;
    partition->credentials = credentials;
    partition->terms = terms_of(partition->name);
    partition->weight->store(partition->terms.weight, std::memory_order_relaxed);
    partition->mover_bits.resize(options_.movers);
    partition->mover_doorbells.resize(options_.movers);
    partition->cell = &cell;
    note_process(cell, credentials);
    partition->last_doorbell = cell.last_doorbell;
    partition->last_listener = cell.last_listener;
    partition->unconfirmed_listener = cell.unconfirmed_listener;
    partition->table->start_from(cell.handle_uses);
    if (!found->second->segments.empty())
        partition->last_segment = found->second->segments.rbegin()->first;
    partition->withdrawn = std::move(found->second->withdrawn);
    partition->resuming = std::move(found->second);
    estates_.erase(found);
    // Its listeners need nothing that it would bring.
    for (const auto& [id, listener] : std::exchange(partition->resuming->listeners, {})) {
        partition->services.emplace(listener->service, id);
        partition->listeners.emplace(id,
                                     Listener{listener->service, listener->backlog, {}, listener});
    }
    return partitions_.emplace(session, std::move(partition)).first->second.get();
}

void Fabric::resume_done(Partition& partition) {
    resume_copies(partition);
    const std::unique_ptr<Estate> rest = std::move(partition.resuming);
    drop(*rest);
    partition.resuming = nullptr;
    if (partition.events) {
        partition.events->ring(static_cast<std::uint32_t>(abi::DoorbellEvent::queue_pair_changed));
        if (!partition.withdrawn.empty())
            partition.events->ring(
                static_cast<std::uint32_t>(abi::DoorbellEvent::connection_wanted));
    }
    controllers_are_up(partition.session);
    settle_all();
}

// ---- connections

bool Fabric::still_comes(std::uint32_t queue_pair) const {
    const auto holds = [queue_pair](const Estate& estate) {
        return estate.queue_pairs.count(queue_pair) != 0;
    };
    return std::any_of(estates_.begin(), estates_.end(),
                       [&](const auto& entry) { return holds(*entry.second); }) ||
           std::any_of(partitions_.begin(), partitions_.end(), [&](const auto& entry) {
               return entry.second->resuming && holds(*entry.second->resuming);
           });
}

bool Fabric::still_comes(const std::string& name) const {
    const auto holder = names_.find(name);
    return holder != names_.end() && estates_.count(holder->second) != 0;
}

void Fabric::settle_all() {
    settle_segments();
    // Those that were accepted first: they say who does not wait any more.
    for (const bool waiting : {false, true}) {
        for (auto& [id, pair] : queue_pairs_) {
            if (pair.unsettled && (pair.phase == QueuePair::Phase::connecting) == waiting)
                settle(pair);
        }
    }
}

void Fabric::settle(QueuePair& pair) {
    const Partition* const own = find(pair.session);
    if (own == nullptr || own->resuming)
        return;
    if (pair.end->state() >= abi::QueuePairState::refused || pair.phase == QueuePair::Phase::idle ||
        pair.phase == QueuePair::Phase::closing) {
        pair.unsettled = false;
    } else if (pair.phase == QueuePair::Phase::connecting) {
        settle_waiting(pair);
    } else {
        settle_connected(pair);
    }
}

void Fabric::end_unsettled(QueuePair& pair, abi::QueuePairState state) {
    pair.unsettled = false;
    pair.phase = QueuePair::Phase::connected;
    journal_connection(pair);
    mover(pair.end->options().mover)
        .close(pair.end, state, abi::Error::peer_gone, abi::Error::peer_gone);
}

// It waits at a listener again.
void Fabric::settle_waiting(QueuePair& pair) {
    Partition* const at = find(pair.listening_session);
    if (at != nullptr ? at->resuming != nullptr : estates_.count(pair.listening_session) != 0)
        return;
    if (at == nullptr || at->listeners.count(pair.listener) == 0) {
        end_unsettled(pair, abi::QueuePairState::refused);
        return;
    }
    pair.unsettled = false;
    at->listeners.at(pair.listener).waiting.push_back(pair.end->options().id);
    if (at->events)
        at->events->ring(static_cast<std::uint32_t>(abi::DoorbellEvent::connection_wanted));
}

void Fabric::settle_connected(QueuePair& pair) {
    const std::uint32_t id = pair.end->options().id;
    QueuePair* const peer = queue_pair(pair.peer_id);
    const Partition* const of_peer = peer == nullptr ? nullptr : find(peer->session);
    if (of_peer == nullptr ? still_comes(pair.peer_id) : of_peer->resuming != nullptr)
        return;
    // The connecting end hears of its being accepted after the accepting one.
    if (of_peer != nullptr && pair.accepted && peer->phase == QueuePair::Phase::connecting &&
        peer->unsettled) {
        peer->phase = QueuePair::Phase::connected;
        peer->peer_id = id;
        peer->executor = pair.executor;
        peer->why = pair.why;
        journal_connection(*peer);
    }
    const bool both = of_peer != nullptr && peer->phase == QueuePair::Phase::connected &&
                      peer->peer_id == id && peer->unsettled &&
                      peer->end->state() < abi::QueuePairState::refused;
    if (!both) {
        end_unsettled(pair, abi::QueuePairState::closed);
        return;
    }
    // What was made for a direct connection and not fetched went with the last daemon.
    const bool whole = pair.executor != abi::Executor::direct ||
                       (pair.bell_in != 0 && peer->bell_in != 0 &&
                        pair.end->options().journal->unfetched.load() == 0 &&
                        peer->end->options().journal->unfetched.load() == 0);
    if (!whole) {
        end_unsettled(pair, abi::QueuePairState::closed);
        end_unsettled(*peer, abi::QueuePairState::closed);
        return;
    }
    pair.unsettled = peer->unsettled = false;
    QueuePair& connector = pair.accepted ? *peer : pair;
    QueuePair& acceptor = pair.accepted ? pair : *peer;
    const Partition* const from = find(connector.session);
    const Partition* const to = find(acceptor.session);
    if (std::string rule; from == nullptr || to == nullptr || !may_stay(connector, *to, rule)) {
        end_unsettled(connector, abi::QueuePairState::closed);
        end_unsettled(acceptor, abi::QueuePairState::closed);
        return;
    }
    permit(connector);
    permit(acceptor);
    mover(connector.end->options().mover)
        .connect(connector.end, acceptor.end, pair.executor, Mover::Going::on);
    begin_use(connector.end->options().id);
}

}  // namespace causeway::adapter
