// Direct connections (Fig 12): what two ends need to reach each other without the adapter.
#include <fmt/format.h>
#include <sys/socket.h>

#include <memory>
#include <utility>

#include "adapter/fabric.hpp"

#include "base/fault_point.hpp"

namespace causeway::adapter {
namespace {

constexpr std::uint64_t kFilesPerSide = 2;    // of a bell: page and socket
constexpr std::uint32_t kInboundPerSide = 2;  // its own and the peer's

}  // namespace

Result<std::uint32_t> Fabric::bell_between(const BellKey& key) {
    if (const auto known = bell_numbers_.find(key); known != bell_numbers_.end())
        return known->second;
    Partition* const waiter = find(key.waiter);
    Partition* const waker = find(key.waker);
    if (waiter == nullptr || waker == nullptr)
        return fail(ErrorCode::peer_gone, "the peer is leaving");
    CW_TRY(take_files(*waiter, kFilesPerSide));
    if (auto taken = take_files(*waker, kFilesPerSide); !taken) {
        give_files(*waiter, kFilesPerSide);
        return tl::unexpected(taken.error());
    }
    auto bell = make_bell(key);
    if (!bell) {
        give_files(*waiter, kFilesPerSide);
        give_files(*waker, kFilesPerSide);
        return tl::unexpected(bell.error());
    }
    bell->waiter.entrance = waiter->entrance;
    bell->waker.entrance = waker->entrance;
    const std::uint32_t number = next_id(last_bell_, bells_);
    journal_->numbers().last_bell = number;
    bells_.emplace(number, std::move(*bell));
    bell_numbers_.emplace(key, number);
    return number;
}

Bell* Fabric::bell(std::uint32_t number) noexcept {
    const auto found = bells_.find(number);
    return found == bells_.end() ? nullptr : &found->second;
}

void Fabric::forget_bell(std::uint32_t number) {
    auto node = bells_.extract(number);
    if (node.empty())
        return;
    Bell& bell = node.mapped();
    bell_numbers_.erase(bell.key);
    const auto forget = [this](std::uint32_t session, Bell::Side& side, const Bell::Side& other) {
        // Of a partition that is ending everything is given back at once.
        if (Partition* const partition = find(session)) {
            partition->doorbells.erase(side.doorbell);
            give_files(*partition, side.files());
        }
        // Who has the other end may have sent files into this one, which go with it.
        if (side.socket && !other.socket) {
            // That may take its time; that it has ended is known at once.
            (void)::shutdown(side.socket.get(), SHUT_RDWR);
            hooks_.close_aside(other.entrance, std::move(side.socket));
        }
    };
    forget(bell.key.waiter, bell.waiter, bell.waker);
    forget(bell.key.waker, bell.waker, bell.waiter);
}

void Fabric::forget_bells_of(std::uint32_t session) {
    forget_bells(
        [session](const BellKey& key) { return key.waker == session || key.waiter == session; });
}

void Fabric::forget_bells_at(std::uint32_t session, std::uint32_t completions) {
    forget_bells([&](const BellKey& key) {
        return key.waiter == session && key.completions == completions;
    });
}

template<typename F>
void Fabric::forget_bells(F&& of) {
    for (auto it = bells_.begin(); it != bells_.end();) {
        const std::uint32_t number = it->first;
        const bool gone = of(it->second.key);
        ++it;
        if (gone)
            forget_bell(number);
    }
}

// What both ends have to fetch is counted already.
void Fabric::give_inbound(Partition& owner, QueuePair& pair, Inbound inbound) {
    pair.bytes += inbound.size;
    owner.usage.queue_bytes += inbound.size;
    pair.inbound = std::move(inbound);
    pair.unfetched = kInboundPerSide;
}

void Fabric::drop_inbound(QueuePair& pair) noexcept { pair.inbound.memory.reset(); }

void Fabric::inbound_fetched(QueuePair& by, QueuePair& of) noexcept {
    --by.unfetched;
    by.end->options().journal->unfetched.store(by.unfetched, std::memory_order_relaxed);
    if (Partition* const partition = find(by.session))
        give_files(*partition, 1);
    if (of.inbound.given_to_owner && of.inbound.given_to_peer)
        drop_inbound(of);
}

void Fabric::inbound_came_back(QueuePair& by, QueuePair& of, platform::UniqueFd memory) noexcept {
    ++by.unfetched;
    by.end->options().journal->unfetched.store(by.unfetched, std::memory_order_relaxed);
    if (Partition* const partition = find(by.session))
        hold_files(*partition, 1);
    if (!of.inbound.memory)
        of.inbound.memory = std::move(memory);
}

Result<void> Fabric::join(QueuePair& a, QueuePair& b, Inbound inbound_a, Inbound inbound_b) {
    Partition* const of_a = find(a.session);
    Partition* const of_b = find(b.session);
    if (of_a == nullptr || of_b == nullptr)
        return fail(ErrorCode::peer_gone, "the peer is leaving");
    CW_TRY_ASSIGN(a.bell_in, bell_between({b.session, a.session, a.completions}));
    CW_TRY_ASSIGN(b.bell_in, bell_between({a.session, b.session, b.completions}));
    CW_TRY(take_files(*of_a, kInboundPerSide));
    if (auto taken = take_files(*of_b, kInboundPerSide); !taken) {
        give_files(*of_a, kInboundPerSide);
        return taken;
    }
    CAUSEWAY_FAULT_POINT("adapter.direct.bells_made");
    give_inbound(*of_a, a, std::move(inbound_a));
    give_inbound(*of_b, b, std::move(inbound_b));
    journal_connection(a);
    journal_connection(b);
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
