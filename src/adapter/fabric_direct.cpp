// Direct connections (Fig 12): what two ends need to reach each other without the adapter.
#include <fmt/format.h>

#include <memory>
#include <utility>

#include "adapter/fabric.hpp"

namespace causeway::adapter {

Result<std::uint32_t> Fabric::bell_between(const BellKey& key) {
    for (const auto& [number, bell] : bells_) {
        if (bell.key == key)
            return number;
    }
    CW_TRY_ASSIGN(Bell bell, make_bell(key));
    count_files(bell.files());
    const std::uint32_t number = next_id(last_bell_, bells_);
    bells_.emplace(number, std::move(bell));
    return number;
}

Bell* Fabric::bell(std::uint32_t number) noexcept {
    const auto found = bells_.find(number);
    return found == bells_.end() ? nullptr : &found->second;
}

void Fabric::forget_bell(std::uint32_t number) {
    const auto found = bells_.find(number);
    if (found == bells_.end())
        return;
    count_files(-found->second.files());
    bells_.erase(found);
}

void Fabric::forget_bells_of(std::uint32_t session) {
    for (auto it = bells_.begin(); it != bells_.end();) {
        if (it->second.key.waker != session && it->second.key.waiter != session) {
            ++it;
            continue;
        }
        count_files(-it->second.files());
        it = bells_.erase(it);
    }
}

void Fabric::give_inbound(QueuePair& pair, Inbound inbound) {
    const auto owner = partitions_.find(pair.session);
    pair.bytes += inbound.size;
    if (owner != partitions_.end())
        owner->second->usage.queue_bytes += inbound.size;
    pair.inbound = std::move(inbound);
    count_files(1);
}

void Fabric::drop_inbound(QueuePair& pair) noexcept {
    if (!pair.inbound.memory)
        return;
    pair.inbound.memory.reset();
    count_files(-1);
}

Result<void> Fabric::join(QueuePair& a, QueuePair& b, Inbound inbound_a, Inbound inbound_b) {
    if (files_short()) {
        return fail(ErrorCode::limit_reached,
                    "the adapter has too many descriptors open for another direct connection: try "
                    "again when other partitions have left, or raise its limit (ulimit -n)");
    }
    CW_TRY_ASSIGN(a.bell_in, bell_between({b.session, a.session, a.completions}));
    CW_TRY_ASSIGN(b.bell_in, bell_between({a.session, b.session, b.completions}));
    give_inbound(a, std::move(inbound_a));
    give_inbound(b, std::move(inbound_b));
    mover(a.end->options().mover).connect(a.end, b.end, abi::Executor::direct);
    return {};
}

void Fabric::connect_direct(std::uint32_t connector, std::uint32_t acceptor,
                            std::function<void(Result<void>)> done) {
    const EndOptions& a = queue_pair(connector)->end->options();
    const EndOptions& b = queue_pair(acceptor)->end->options();
    offload([this, connector, acceptor, a, b, done = std::move(done)]() -> std::function<void()> {
        auto made = std::make_shared<std::pair<Result<Inbound>, Result<Inbound>>>(make_inbound(a),
                                                                                  make_inbound(b));
        return [this, connector, acceptor, made, done] {
            const auto alive = [this](std::uint32_t id) {
                QueuePair* pair = queue_pair(id);
                return pair != nullptr && pair->phase == QueuePair::Phase::connected ? pair
                                                                                     : nullptr;
            };
            QueuePair* const from = alive(connector);
            QueuePair* const to = alive(acceptor);
            Result<void> joined{};
            if (!made->first || !made->second) {
                joined = tl::unexpected(made->first ? made->second.error() : made->first.error());
            } else if (from != nullptr && to != nullptr) {
                joined = join(*from, *to, std::move(*made->first), std::move(*made->second));
            }
            const auto end = [this](QueuePair* pair, abi::Error reason) {
                if (pair != nullptr)
                    mover(pair->end->options().mover)
                        .close(pair->end, abi::QueuePairState::closed, reason, reason);
            };
            if (!joined) {
                end(from, static_cast<abi::Error>(joined.error().code));
                end(to, static_cast<abi::Error>(joined.error().code));
            } else if (from == nullptr || to == nullptr) {
                end(from, abi::Error::peer_gone);
                end(to, abi::Error::peer_gone);
            }
            done(std::move(joined));
        };
    });
}

void Fabric::count_revocation(const Partition& owner) {
    for (const std::uint32_t id : owner.queue_pairs) {
        const QueuePair* pair = queue_pair(id);
        if (pair == nullptr || pair->executor != abi::Executor::direct)
            continue;
        if (const QueuePair* peer = queue_pair(pair->peer_id))
            peer->end->count_revocation();
    }
}

}  // namespace causeway::adapter
