#include "adapter/direct.hpp"

#include <fcntl.h>

#include <cerrno>
#include <new>
#include <utility>

#include "platform/mapping.hpp"
#include "platform/memfd.hpp"
#include "platform/wakeup.hpp"
#include "shm/queue_pair_view.hpp"

namespace causeway::adapter {
namespace {

constexpr unsigned kSeals = platform::kSizeSeals | F_SEAL_SEAL;

}  // namespace

Result<platform::UniqueFd> duplicate(const platform::UniqueFd& fd) {
    platform::UniqueFd copy(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
    if (!copy)
        return fail_errno("duplicate a descriptor", errno);
    return copy;
}

Result<Inbound> make_inbound(const EndOptions& options) {
    const abi::QueuePairShape shape{0, options.shape.receive_entries, 0,
                                    options.shape.receive_completion_entries};
    Inbound inbound;
    inbound.size = abi::queue_pair_offsets(shape).total;
    CW_TRY_ASSIGN(inbound.memory, platform::create_memfd("causeway-inbound", inbound.size, kSeals));
    CW_TRY_ASSIGN(auto mapping, platform::Mapping::map(inbound.memory.get(), inbound.size));
    CW_TRY(mapping.populate_write(0, inbound.size));
    auto* layout = ::new (mapping.data()) abi::QueuePairLayout{};
    layout->major = abi::kMajor;
    layout->minor = abi::kMinor;
    layout->total_size = inbound.size;
    layout->receive_entries = shape.receive_entries;
    layout->receive_completion_entries = shape.receive_completion_entries;
    layout->ready_bit = options.ready_bit;
    layout->id = options.id;
    layout->attention.store(abi::attention::kPolled, std::memory_order_relaxed);
    __atomic_store_n(&layout->magic, abi::kQueuePairMagic, __ATOMIC_RELEASE);
    return inbound;
}

Result<Bell> make_bell(const BellKey& key) {
    Bell bell;
    bell.key = key;
    CW_TRY_ASSIGN(bell.waiter.page,
                  platform::create_memfd("causeway-bell", platform::kPage, kSeals));
    CW_TRY_ASSIGN(auto page, platform::Mapping::map(bell.waiter.page.get(), platform::kPage));
    CW_TRY(page.populate_write(0, platform::kPage));
    CW_TRY_ASSIGN(bell.waker.page, duplicate(bell.waiter.page));
    CW_TRY_ASSIGN(auto ends, platform::WakeupSocket::make_pair());
    bell.waiter.socket = ends.first.release();
    bell.waker.socket = ends.second.release();
    return bell;
}

}  // namespace causeway::adapter
