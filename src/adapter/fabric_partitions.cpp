// Partitions and their queue pairs: how they come and how they go.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "adapter/fabric.hpp"

namespace causeway::adapter {

Result<Partition*> Fabric::attach(std::uint32_t session, const std::string& name,
                                  const std::string& entrance,
                                  const platform::Credentials& credentials) {
    if (name_taken(name)) {
        return fail(ErrorCode::name_in_use,
                    fmt::format("a partition named '{}' is attached already: take another name, or "
                                "end that one first",
                                name));
    }
    auto partition = std::make_shared<Partition>();
    partition->session = session;
    partition->name = name;
    partition->entrance = entrance;
    partition->credentials = credentials;
    partition->terms = terms_of(name);
    partition->weight->store(partition->terms.weight, std::memory_order_relaxed);
    partition->mover_bits.resize(options_.movers);
    partition->mover_doorbells.resize(options_.movers);
    CW_TRY_ASSIGN(partition->cell, journal_partition(*partition));
    names_[name] = session;
    return partitions_.emplace(session, std::move(partition)).first->second.get();
}

Partition* Fabric::find(std::uint32_t session) noexcept {
    const auto found = partitions_.find(session);
    return found == partitions_.end() || found->second->ending ? nullptr : found->second.get();
}

Partition* Fabric::find(std::string_view name) noexcept {
    const auto found = names_.find(std::string(name));
    return found == names_.end() ? nullptr : find(found->second);
}

bool Fabric::name_taken(const std::string& name) const { return names_.count(name) != 0; }

void Fabric::when_free(const std::string& name, std::function<void()> then) {
    waiting_for_name_[name] = std::move(then);
}

void Fabric::end(std::uint32_t session) {
    Partition* partition = find(session);
    if (partition == nullptr)
        return;
    partition->ending = true;
    Journal::invalidate(partition->cell);  // it does not come back
    for (auto& [id, listener] : partition->listeners)
        refuse_waiting(listener, abi::Error::peer_gone);
    for (auto& [id, listener] : partition->listeners)
        journal_->free(listener.cell);
    partition->listeners.clear();
    partition->services.clear();
    awaiting_bus_.erase(session);
    withdraw_all(session);
    drop_pending_region(*partition);
    close_openings(*partition);
    // Before the peers hear of the end, so that they find its bells hung up when they let go of
    // them: of those that it never fetched this side has the other end.
    forget_bells_of(session);
    // Peers are told first; the memory goes when nobody moves data any more.
    const std::vector<std::uint32_t> pairs(partition->queue_pairs.begin(),
                                           partition->queue_pairs.end());
    for (const std::uint32_t id : pairs)
        remove_queue_pair(id, nullptr);
    if (pairs.empty())
        finish_end(session);
}

// The movers have let go of the last end.
void Fabric::finish_end(std::uint32_t session) {
    const auto found = partitions_.find(session);
    const std::shared_ptr<Partition> partition = std::move(found->second);
    partitions_.erase(found);
    gone_.add(partition->gone_pairs);
    ++partitions_gone_;
    looked_at_ns_.erase(session);
    for (const auto& mover : movers_)
        mover->close_session(session);
    auto regions = std::move(partition->regions);
    for (auto& [handle, region] : regions) {
        partition->table->remove(region->entry);
        forget_region(region);
        give_files(*partition, region->memory.files.size());
        retire(std::move(region));
    }
    give_mappings(partition->usage.doorbells);
    give_files(*partition, partition->usage.files);  // doorbells
    for (auto& [id, record] : partition->doorbells)
        journal_->free(record.cell);
    if (partition->resuming)
        drop(*partition->resuming);
    journal_->free(partition->cell);
    free_name(partition->name);
    settle_all();  // who waited for it to come back waits in vain
}

void Fabric::free_name(const std::string& name) {
    names_.erase(name);
    if (auto waiting = waiting_for_name_.extract(name))
        waiting.mapped()();
}

QueuePair* Fabric::queue_pair(std::uint32_t id) noexcept {
    const auto found = queue_pairs_.find(id);
    return found == queue_pairs_.end() ? nullptr : &found->second;
}

Result<QueuePair*> Fabric::queue_pair_of(const Partition& partition, std::uint32_t id) {
    QueuePair* pair = queue_pair(id);
    if (pair == nullptr || pair->session != partition.session) {
        return fail(ErrorCode::not_found,
                    fmt::format("partition {} has no queue pair {}: it was never created, or is "
                                "disconnected",
                                partition.name, id));
    }
    return pair;
}

std::uint32_t Fabric::next_queue_pair_id() noexcept {
    const std::uint32_t id = next_id(last_queue_pair_, queue_pairs_);
    journal_->numbers().last_queue_pair = id;
    return id;
}

std::uint32_t Fabric::choose_mover(Partition& partition) const noexcept {
    if (!partition.mover) {
        const auto least =
            std::min_element(movers_.begin(), movers_.end(), [this](const auto& a, const auto& b) {
                return std::pair(a->load(), mover_load_[a->index()]) <
                       std::pair(b->load(), mover_load_[b->index()]);
            });
        partition.mover = (*least)->index();
    }
    return *partition.mover;
}

void Fabric::add_queue_pair(Partition& partition, QueuePair pair) {
    const std::shared_ptr<End> end = pair.end;
    const std::uint32_t mover_index = end->options().mover;
    ++mover_load_[mover_index];
    partition.queue_pairs.insert(end->options().id);
    queue_pairs_.emplace(end->options().id, std::move(pair));
    mover(mover_index).add(end);
}

void Fabric::take_from_listener(const QueuePair& pair) {
    Partition* partition = find(pair.listening_session);
    if (partition == nullptr)
        return;
    const auto listener = partition->listeners.find(pair.listener);
    if (listener != partition->listeners.end())
        std::erase(listener->second.waiting, pair.end->options().id);
}

void Fabric::remove_queue_pair(std::uint32_t id, std::function<void()> done) {
    QueuePair* pair = queue_pair(id);
    if (pair == nullptr || pair->phase == QueuePair::Phase::closing)
        return;  // under way; its partition's end waits for it, too
    if (pair->phase == QueuePair::Phase::connecting)
        take_from_listener(*pair);
    pair->phase = QueuePair::Phase::closing;
    end_use(*pair);

    const std::shared_ptr<End> end = pair->end;
    Mover* const home = &mover(end->options().mover);
    Mover* serving = end->served_by.load(std::memory_order_acquire);
    if (serving == nullptr)
        serving = home;
    std::function<void()> finish = [this, inbox = inbox_, id, done = std::move(done)] {
        inbox->post([this, id, done] {
            finish_removal(id);
            if (done)
                done();
        });
    };
    // The serving mover lets go of the connection before the end's own mover forgets the end.
    serving->close(end, abi::QueuePairState::closed, abi::Error::none, abi::Error::peer_gone,
                   [home, end, finish = std::move(finish)]() mutable {
                       home->remove(std::move(end), std::move(finish));
                   });
}

void Fabric::finish_removal(std::uint32_t id) {
    auto node = queue_pairs_.extract(id);
    if (node.empty())
        return;
    QueuePair& pair = node.mapped();
    drop_inbound(pair);
    const auto found = partitions_.find(pair.session);
    if (found == partitions_.end()) {
        journal_->free(pair.end->options().journal);
        return;
    }
    Partition& partition = *found->second;
    partition.gone_pairs.add(*pair.end);
    const EndOptions& options = pair.end->options();
    partition.mover_bits[options.mover].give_back(options.doorbell_bit);
    if (const auto queue = partition.doorbells.find(pair.completions);
        queue != partition.doorbells.end())
        queue->second.ready_bits.give_back(options.ready_bit);
    --mover_load_[options.mover];
    partition.queue_pairs.erase(id);
    give_files(partition, pair.unfetched);
    --partition.usage.queue_pairs;
    partition.usage.queue_bytes -= pair.bytes;
    give_mappings(1);
    journal_->free(options.journal);
    // Unmapping takes the kernel a while.
    worker_.post([end = std::move(pair.end)] { return Worker::Progress::finished; });
    if (partition.ending && partition.queue_pairs.empty())
        finish_end(partition.session);
}

PartitionTotals Fabric::totals_of(const Partition& partition) {
    PartitionTotals totals = partition.gone_pairs;
    for (const std::uint32_t id : partition.queue_pairs) {
        if (QueuePair* pair = queue_pair(id); pair != nullptr)
            totals.add(*pair->end);
    }
    return totals;
}

PartitionTotals Fabric::gone_totals() {
    PartitionTotals totals = gone_;
    for (const auto& [session, partition] : partitions_) {
        if (partition->ending)
            totals.add(totals_of(*partition));
    }
    return totals;
}

void Fabric::refuse_waiting(Listener& listener, abi::Error reason) {
    for (const std::uint32_t id : listener.waiting) {
        QueuePair* pair = queue_pair(id);
        if (pair == nullptr || pair->phase != QueuePair::Phase::connecting)
            continue;
        // It stays with its partition, which reads why and disconnects it.
        pair->phase = QueuePair::Phase::connected;
        journal_connection(*pair);
        mover(pair->end->options().mover)
            .close(pair->end, abi::QueuePairState::refused, reason, reason);
    }
    listener.waiting.clear();
}

}  // namespace causeway::adapter
