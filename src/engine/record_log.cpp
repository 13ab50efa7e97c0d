#include "engine/record_log.hpp"

namespace causeway::engine {

RecordLog::Reserved RecordLog::look(std::uint32_t bytes, std::uint64_t& at) noexcept {
    const std::uint64_t size = abi::record_size(bytes);
    std::uint64_t offset = hint_.load(std::memory_order_relaxed);
    for (std::uint32_t step = 0; step < kMostSteps; ++step) {
        if (size > length_ || offset > length_ - size)
            return Reserved::full;
        const std::uint64_t found = __atomic_load_n(header(offset), __ATOMIC_RELAXED);
        if (found == 0) {
            at = offset;
            return Reserved::done;
        }
        const std::uint64_t taken = abi::record_size(abi::record_length(found));
        if (taken > length_ - offset)
            return Reserved::full;
        offset += taken;
        hint_.store(offset, std::memory_order_relaxed);
    }
    return Reserved::more;
}

bool RecordLog::claim(std::uint64_t at, std::uint32_t bytes, std::uint32_t writer) noexcept {
    std::uint64_t found = 0;
    const std::uint64_t wanted = abi::record_header(bytes, writer, abi::RecordState::reserved);
    // SYNC(record): acquire and release, pairs with itself in other writers: forbids two of them to
    // take the same room.
    if (!__atomic_compare_exchange_n(header(at), &found, wanted, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE))
        return false;
    hint_.store(at + abi::record_size(bytes), std::memory_order_relaxed);
    return true;
}

bool RecordLog::recognize(std::uint64_t at, std::uint32_t bytes, std::uint32_t writer) noexcept {
    const std::uint64_t size = abi::record_size(bytes);
    if (at % sizeof(std::uint64_t) != 0 || size > length_ || at > length_ - size)
        return false;
    const std::uint64_t found = __atomic_load_n(header(at), __ATOMIC_ACQUIRE);
    const abi::RecordState state = abi::record_state(found);
    if (state == abi::RecordState::free || found != abi::record_header(bytes, writer, state))
        return false;
    if (hint_.load(std::memory_order_relaxed) < at + size)
        hint_.store(at + size, std::memory_order_relaxed);
    return true;
}

bool RecordLog::end(std::uint64_t at, std::uint32_t bytes, std::uint32_t writer,
                    abi::RecordState state) noexcept {
    std::uint64_t expected = abi::record_header(bytes, writer, abi::RecordState::reserved);
    // SYNC(record-committed): release, pairs with the reader's acquire of the header: who sees it
    // committed sees the data.
    const std::uint64_t wanted = abi::record_header(bytes, writer, state);
    // The second time in the place of an executor that died after the first: it is as it should be.
    return __atomic_compare_exchange_n(header(at), &expected, wanted, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_RELAXED) ||
           expected == wanted;
}

}  // namespace causeway::engine
