#include "adapter/end.hpp"

#include <new>
#include <utility>

#include "adapter/handed_back.hpp"
#include "platform/memfd.hpp"

namespace causeway::adapter {
namespace {

constexpr unsigned kQueueSeals = platform::kSizeSeals | F_SEAL_SEAL;

void write_header(abi::QueuePairLayout& layout, const EndOptions& options, std::uint64_t size) {
    layout.major = abi::kMajor;
    layout.minor = abi::kMinor;
    layout.total_size = size;
    layout.send_entries = options.shape.send_entries;
    layout.receive_entries = options.shape.receive_entries;
    layout.send_completion_entries = options.shape.send_completion_entries;
    layout.receive_completion_entries = options.shape.receive_completion_entries;
    layout.doorbell_bit = options.doorbell_bit;
    layout.ready_bit = options.ready_bit;
    layout.id = options.id;
    // SYNC(header-published): last, with release; nobody else maps the memory yet, but a reader
    // that sees the magic sees the header.
    __atomic_store_n(&layout.magic, abi::kQueuePairMagic, __ATOMIC_RELEASE);
}

}  // namespace

Result<std::shared_ptr<End>> End::create(EndOptions options) {
    const std::uint64_t size = abi::queue_pair_offsets(options.shape).total;
    CW_TRY_ASSIGN(auto memory, platform::create_memfd("causeway-qp", size, kQueueSeals));
    CW_TRY_ASSIGN(auto mapping, platform::Mapping::map(memory.get(), size));
    CW_TRY(mapping.populate_write(0, size));
    ::new (mapping.data()) abi::QueuePairLayout{};
    write_header(*mapping.at<abi::QueuePairLayout>(), options, size);
    return std::make_shared<End>(std::move(options), std::move(memory), std::move(mapping));
}

Result<std::shared_ptr<End>> End::resume(EndOptions options, const platform::UniqueFd& memory) {
    const std::uint64_t size = abi::queue_pair_offsets(options.shape).total;
    CW_TRY(require_file(memory, options.journal->memory, size));
    CW_TRY_ASSIGN(auto mapping, platform::Mapping::map(memory.get(), size));
    CW_TRY(mapping.populate_write(0, size));
    write_header(*mapping.at<abi::QueuePairLayout>(), options, size);
    auto end = std::make_shared<End>(std::move(options), platform::UniqueFd(), std::move(mapping));
    const QueuePairCell& cell = *end->options_.journal;
    // What a direct end has executed it has noted there itself: an adapter does not know of it.
    if (cell.executor != static_cast<std::uint32_t>(abi::Executor::direct))
        end->endpoint_.go_on();
    const std::uint32_t state = cell.state.load(std::memory_order_relaxed);
    end->set_state(static_cast<abi::QueuePairState>(state),
                   static_cast<abi::Error>(cell.reason.load(std::memory_order_relaxed)));
    return end;
}

End::End(EndOptions options, platform::UniqueFd memory, platform::Mapping mapping)
    : own_journal_(options.journal == nullptr ? std::make_unique<QueuePairCell>() : nullptr),
      options_(std::move(options)),
      memory_(std::move(memory)),
      mapping_(std::move(mapping)),
      view_(mapping_.data(), options_.shape),
      endpoint_(view_, *options_.regions, options_.patience) {
    endpoint_.number = options_.id;
    if (own_journal_)
        options_.journal = own_journal_.get();
    endpoint_.trace = &options_.journal->trace;
}

void End::set_state(abi::QueuePairState state, abi::Error reason) noexcept {
    reason_.store(static_cast<std::uint32_t>(reason), std::memory_order_relaxed);
    state_.store(static_cast<std::uint32_t>(state), std::memory_order_release);
    // The journal first: what the partition has seen, a next adapter knows.
    options_.journal->reason.store(static_cast<std::uint32_t>(reason), std::memory_order_relaxed);
    options_.journal->state.store(static_cast<std::uint32_t>(state), std::memory_order_release);
    auto& shared = layout();
    shared.reason.store(static_cast<std::uint32_t>(reason), std::memory_order_relaxed);
    // SYNC(queue-pair-state): release, pairs with the partition's acquire: who sees the state also
    // sees its reason and every completion published before it.
    shared.state.store(static_cast<std::uint32_t>(state), std::memory_order_release);
    options_.completions->ring(options_.ready_bit);
    options_.events->ring(static_cast<std::uint32_t>(abi::DoorbellEvent::queue_pair_changed));
}

void End::notify() noexcept {
    // SYNC(polled): the fence in sleeping() pairs with the partition's between clearing `polled`
    // (or announcing sleep) and its second look at the rings.
    const shm::Kick asleep = options_.completions->sleeping();
    if (layout().polled.load(std::memory_order_relaxed) == 0) {
        options_.completions->ring(options_.ready_bit);
    } else if (asleep == shm::Kick::yes) {
        options_.completions->kick();
    }
}

}  // namespace causeway::adapter
