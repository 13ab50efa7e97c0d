#include "client/queue_pair.hpp"

#include <utility>

#include "client/completion_queue.hpp"
#include "client/quietly.hpp"

namespace causeway::client {
namespace {

[[nodiscard]] Result<void> check_entries(const char* queue, std::uint32_t entries) {
    if (abi::valid_ring_entries(entries))
        return {};
    return fail_format(ErrorCode::invalid_argument,
                       "a %s queue of %u entries wanted; take a power of two from %u to %u", queue,
                       entries, abi::kMinRingEntries, abi::kMaxRingEntries);
}

// Before the ledgers are made by them; open() refuses what is wrong.
[[nodiscard]] std::uint32_t ledger_entries(std::uint32_t entries) noexcept {
    return abi::valid_ring_entries(entries) ? entries : abi::kMinRingEntries;
}

}  // namespace

QueuePair::QueuePair(std::shared_ptr<Partition> partition,
                     std::shared_ptr<CompletionQueue> completions, const QueuePairTerms& terms)
    : guard_(partition->guard()),
      regions_(&partition->regions()),
      send_ledger_(ledger_entries(terms.send_entries)),
      receive_ledger_(ledger_entries(terms.receive_entries)),
      pieces_(std::size_t{ledger_entries(terms.receive_entries)} * abi::kMaxDataSegments),
      terms_(terms),
      partition_(std::move(partition)),
      completions_(std::move(completions)) {}

Result<void> QueuePair::open() {
    CW_TRY(check_entries("send", terms_.send_entries));
    CW_TRY(check_entries("receive", terms_.receive_entries));
    auto request = control::make<abi::CreateQueuePairRequest>(abi::Request::create_queue_pair);
    request.shape = terms_.shape();
    request.completions = completions_->doorbell();
    request.patience = static_cast<std::uint32_t>(terms_.patience);
    request.patience_ns = terms_.patience_ns;
    const auto create = [&](control::Channel& channel) -> Result<void> {
        platform::UniqueFd memory;
        CW_TRY_ASSIGN(created_, channel.call<abi::CreateQueuePairReply>(request, -1, &memory));
        is_open_ = true;  // from here on the destructor gives it back to the adapter
        CW_TRY(adopt_reply(memory));
        partition_->adapter().keep(
            HeldQueuePair{.id = created_.queue_pair, .memory = std::move(memory)});
        return {};
    };
    CW_TRY(partition_->adapter().transact(create));
    CW_TRY_ASSIGN(mover_, partition_->mover_bell(created_.mover));
    return completions_->add(*this);
}

Result<void> QueuePair::adopt_reply(const platform::UniqueFd& memory) {
    const abi::QueuePairShape shape = terms_.shape();
    const std::uint64_t size = abi::queue_pair_offsets(shape).total;
    if (created_.memory_size != size || created_.doorbell_bit >= abi::kDoorbellBits ||
        created_.ready_bit >= abi::kDoorbellBits) {
        return fail(ErrorCode::protocol,
                    "the adapter made queue memory of another layout; adapter and library do not "
                    "fit together");
    }
    CW_TRY_ASSIGN(memory_, map_handed_out(memory, size));
    const shm::QueuePairView view(memory_.data(), shape);
    layout_ = &view.layout();
    inbound_ = layout_;
    // SYNC(header-published): acquire, pairs with the adapter's release (adapter/end.cpp).
    if (__atomic_load_n(&layout_->magic, __ATOMIC_ACQUIRE) != abi::kQueuePairMagic ||
        layout_->major != abi::kMajor) {
        return fail_format(ErrorCode::version,
                           "the adapter's queue memory has version %u, this library knows %u: "
                           "update the older of the two",
                           layout_->major, abi::kMajor);
    }
    sends_ = view.send_producer();
    receives_ = view.receive_producer();
    send_completions_ = view.send_completions();
    receive_completions_ = view.receive_completions();
    return {};
}

QueuePair::~QueuePair() {
    if (!here()) {  // a forked child
        (void)memory_.release();
        if (lane_)
            lane_->abandon();
        return;
    }
    if (!is_open_)
        return;
    completions_->remove(*this);
    if (lane_)
        lane_->stop();
    quietly([this] {
        auto request = control::make<abi::DisconnectRequest>(abi::Request::disconnect);
        request.queue_pair = created_.queue_pair;
        // Whatever comes of it, this side has let go.
        (void)partition_->adapter().give_back(
            Kind::queue_pair, created_.queue_pair,
            [&](control::Channel& channel) { return channel.call_empty(request); });
    });
}

}  // namespace causeway::client
