#include "client/direct_lane.hpp"

#include <utility>

#include "base/fault_point.hpp"
#include "client/completion_queue.hpp"
#include "client/copies.hpp"
#include "platform/clock.hpp"
#include "platform/fault_guard.hpp"
#include "platform/membarrier.hpp"

namespace causeway::client {

Result<std::unique_ptr<DirectLane>> DirectLane::open(
    Partition& partition, CompletionQueue& completions, std::uint32_t queue_pair,
    const shm::QueuePairView& own, std::uint64_t posted, engine::Patience patience) {
    // A peer's memory can fault under the copy: without the guard that would end this process.
    CW_TRY(platform::install_fault_guard());
    CW_TRY_ASSIGN(Side inbound, fetch(partition, queue_pair, abi::DirectSide::own));
    CAUSEWAY_FAULT_POINT("client.direct.own_fetched");
    CW_TRY_ASSIGN(Side peer, fetch(partition, queue_pair, abi::DirectSide::peer));
    const abi::OpenDirectReply& terms = peer.terms;
    if (inbound.terms.receive_entries != own.shape().receive_entries ||
        inbound.terms.receive_completion_entries != own.shape().receive_completion_entries ||
        terms.peer_ready_bit >= abi::kDoorbellBits) {
        return fail(ErrorCode::protocol,
                    "the adapter made inbound memory of another shape than the queue pair has; "
                    "adapter and library do not fit together");
    }
    CW_TRY_ASSIGN(auto bell, partition.peer_bell(terms.bell_out));
    CAUSEWAY_FAULT_POINT("client.direct.bell_fetched");
    auto memory = completions.peer_memory(terms.peer_session);
    auto bell_in = completions.add_bell(terms.bell_in);
    if (!bell_in.has_value()) {
        // The peer is gone, then: its bell would stay until the next direct connection.
        partition.release_peer_bell(std::move(bell));
        return tl::unexpected(std::move(bell_in.error()));
    }
    return std::unique_ptr<DirectLane>(new DirectLane(
        partition, completions, queue_pair, own, posted, patience, std::move(inbound),
        std::move(peer), *bell_in, std::move(bell), std::move(memory)));
}

Result<DirectLane::Side> DirectLane::fetch(Partition& partition, std::uint32_t queue_pair,
                                           abi::DirectSide which) {
    auto request = control::make<abi::OpenDirectRequest>(abi::Request::open_direct);
    request.queue_pair = queue_pair;
    request.side = static_cast<std::uint32_t>(which);
    platform::UniqueFd memory;
    Side side;
    CW_TRY_ASSIGN(side.terms, partition.adapter().transact([&](control::Channel& channel) {
        return channel.call<abi::OpenDirectReply>(request, -1, &memory);
    }));
    const abi::QueuePairShape shape{0, side.terms.receive_entries, 0,
                                    side.terms.receive_completion_entries};
    if (!abi::valid_ring_entries(shape.receive_entries) ||
        !abi::valid_ring_entries(shape.receive_completion_entries) ||
        side.terms.memory_size != abi::queue_pair_offsets(shape).total) {
        return fail(ErrorCode::protocol,
                    "the adapter made inbound memory of another layout; adapter and library do not "
                    "fit together");
    }
    CW_TRY_ASSIGN(side.memory, map_handed_out(memory, side.terms.memory_size));
    side.view = shm::QueuePairView(side.memory.data(), shape);
    return side;
}

DirectLane::DirectLane(Partition& partition, CompletionQueue& completions, std::uint32_t queue_pair,
                       const shm::QueuePairView& own, std::uint64_t posted,
                       engine::Patience patience, Side inbound, Side peer, BellShare bell_in,
                       std::shared_ptr<WakerBell> peer_bell,
                       std::shared_ptr<PeerMemory> peer_memory)
    : partition_(partition),
      completions_(completions),
      queue_pair_(queue_pair),
      bell_in_(bell_in),
      peer_ready_bit_(peer.terms.peer_ready_bit),
      barriers_(platform::register_for_membarrier()),
      posted_(posted),
      peer_bell_(std::move(peer_bell)),
      peer_memory_(std::move(peer_memory)),
      inbound_memory_(std::move(inbound.memory)),
      peer_inbound_memory_(std::move(peer.memory)),
      inbound_(inbound.view),
      own_layout_(own.layout()),
      inbound_layout_(inbound_.layout()),
      peer_layout_(peer.view.layout()),
      from_(own, partition.regions().table(), patience),
      to_(peer.view, peer_memory_->table(), {}),
      flow_(from_, to_, queue_pair) {
    from_.number = queue_pair;
    to_.source = this;
    context_.copies = copies().plan;
    revocations_ = own_layout_.revocations.load(std::memory_order_acquire);
}

DirectLane::~DirectLane() {
    if (!partition_.here())
        return;  // a forked child, see abandon()
    completions_.remove_bell(bell_in_);
    partition_.release_peer_bell(std::move(peer_bell_));
}

void DirectLane::abandon() noexcept {
    (void)inbound_memory_.release();
    (void)peer_inbound_memory_.release();
    peer_memory_->abandon();
}

void DirectLane::begin() noexcept {
    // SYNC(inbound-open): release, pairs with peer_is_open() at the other end: who sees it open
    // sees the receives that stand in it.
    const std::uint32_t state = abi::inbound::kOpen | (barriers_ ? abi::inbound::kBarriers : 0);
    CAUSEWAY_FAULT_POINT("client.direct.opening");
    inbound_.layout().open.store(state, std::memory_order_release);
    CAUSEWAY_FAULT_POINT("client.direct.opened");
    peer_bell_->ring(peer_ready_bit_);  // its sender may wait for this
}

bool DirectLane::peer_is_open() noexcept {
    if (peer_open_)
        return true;
    const std::uint32_t state = peer_layout_.open.load(std::memory_order_acquire);
    if (barriers_ && (state & abi::inbound::kBarriers) != 0)
        ordering_ = shm::Ordering::waiters_barrier;
    peer_open_ = (state & abi::inbound::kOpen) != 0;
    return peer_open_;
}

bool DirectLane::can_ask() const noexcept {
    return partition_.adapter().standing() != Standing::away;
}

void DirectLane::forget_grants() noexcept { peer_memory_->forget(); }

bool DirectLane::peer_hung_up() const noexcept { return completions_.bell_hung_up(bell_in_); }

// Grants end when the peer deregisters: what is still valid is asked for anew.
void DirectLane::heed_revocations() noexcept {
    // SYNC(revocations): acquire, pairs with the adapter's increment before it answers the owner.
    const std::uint32_t now = own_layout_.revocations.load(std::memory_order_acquire);
    if (now == revocations_)
        return;
    revocations_ = now;
    peer_memory_->forget();
}

std::optional<abi::Status> DirectLane::obtain(std::uint32_t handle, engine::Claim claim) noexcept {
    const auto status = peer_memory_->obtain(partition_, queue_pair_, handle, claim);
    peer_overdid_ = peer_overdid_ || (claim == engine::Claim::peers && peer_memory_->overdone());
    return status;
}

ErrorCode DirectLane::reach(const abi::AddressSegment& remote, std::uint64_t length,
                            std::uint32_t rights, Reached& out) noexcept {
    if (stopped_ || broken())
        return ErrorCode::peer_gone;
    heed_revocations();
    if (peer_memory_->table().find(remote.handle) == nullptr) {
        const auto status = obtain(remote.handle, engine::Claim::peers);
        if (!status)
            return ErrorCode::again;
        if (*status != abi::Status::success)
            return *status == abi::Status::peer_gone ? ErrorCode::peer_gone : ErrorCode::denied;
    }
    out = peer_memory_->reach(remote, length, rights);
    return out.at != nullptr ? ErrorCode::none : ErrorCode::denied;
}

engine::AtOnce DirectLane::send_plain(const engine::PlainSend& send) noexcept {
    if (!free())
        return engine::AtOnce::no;
    heed_revocations();
    const engine::AtOnce done = flow_.send_plain(send, context_);
    if (done == engine::AtOnce::no)
        return done;
    if (done == engine::AtOnce::failed)
        tell_of_trouble();
    note_sent();
    return done;
}

void DirectLane::run() noexcept {
    if (stopped_ || broken() || (last_ == engine::Step::waits_region && !can_ask()))
        return;
    if (!peer_is_open()) {
        last_ = engine::Step::waits_receive;
        return;
    }
    last_ = engine::Step::idle;
    // Not by what the ring says: entries that send_small() passed over are still from laps before.
    while (from_.sends.consumed() != posted_) {
        heed_revocations();
        last_ = flow_.step(context_);
        if (last_ != engine::Step::progress)
            break;
        last_ = engine::Step::idle;
    }
    if (peer_overdid_)
        last_ = engine::Step::broken;
    from_.publish_taken_lazily();
    tell_listings();
    tell_of_trouble();
    if (announced_ && !waiting()) {
        announced_ = false;
        peer_layout_.attention.store(abi::attention::kPolled, std::memory_order_relaxed);
    }
    if (to_.dirty) {
        to_.dirty = false;
        tell_receiver();
    }
}

void DirectLane::tell_of_trouble() noexcept {
    abi::Tally& tally = own_layout_.tally;
    const engine::Counters& counters = from_.counters;
    tally.errors.store(counters.errors.load(), std::memory_order_relaxed);
    if (const std::uint64_t stalls = counters.stalls.load(); stalls != told_stalls_ || announced_) {
        told_stalls_ = stalls;
        tally.stalls.store(stalls, std::memory_order_relaxed);
        tally.stall_ns.store(counters.stall_ns.load(), std::memory_order_relaxed);
        tally.waiting.store(static_cast<std::uint32_t>(posted_ - from_.sends.consumed()),
                            std::memory_order_relaxed);
    }
}

bool DirectLane::can_run() noexcept {
    if (stopped_ || !peer_is_open())
        return false;
    switch (last_) {
        case engine::Step::idle:
            return from_.sends.consumed() != posted_;
        case engine::Step::waits_receive:
            return to_.receives.ready() || flow_.deadline_ns() <= platform::monotonic_ns();
        case engine::Step::waits_room:
            return (from_.can_complete_send() && to_.can_complete_receive()) ||
                   flow_.deadline_ns() <= platform::monotonic_ns();
        case engine::Step::waits_region:
            return can_ask();
        case engine::Step::waits_lock:
        case engine::Step::progress:
        case engine::Step::broken:  // what is left to do is to end
            return true;
    }
    return false;
}

void DirectLane::announce_wait() noexcept {
    if (stopped_ || !waiting() || broken())
        return;
    announced_ = true;
    tell_of_trouble();
    peer_layout_.attention.store(abi::attention::kWantsReceive, std::memory_order_relaxed);
}

void DirectLane::stop() noexcept {
    if (stopped_)
        return;
    stopped_ = true;
    last_ = engine::Step::idle;
    flow_.abandon();
    from_.publish_taken();
}

}  // namespace causeway::client
