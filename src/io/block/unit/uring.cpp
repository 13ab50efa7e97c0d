#include "io/block/unit/uring.hpp"

#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <numeric>

#include "base/assert.hpp"

namespace causeway::io::block {
namespace {

namespace wire = abi::block;

// The best that this kernel has, then what any has.
[[nodiscard]] int open_ring(std::uint32_t entries, io_uring& ring) noexcept {
#if defined(IORING_SETUP_SINGLE_ISSUER) && defined(IORING_SETUP_TASKRUN_FLAG)
    io_uring_params terms{};
    terms.flags =
        IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG;
    if (const int made = io_uring_queue_init_params(entries, &ring, &terms); made != -EINVAL)
        return made;
#endif
    return io_uring_queue_init(entries, &ring, 0);
}

}  // namespace

Result<std::unique_ptr<Uring>> Uring::make(Image& image, std::uint32_t depth,
                                           std::span<std::byte> own) {
    std::unique_ptr<Uring> uring(new Uring(image, own));
    if (const int made = open_ring(depth, uring->ring_); made < 0) {
        uring->ring_.ring_fd = -1;
        return fail_format(made == -ENOMEM ? ErrorCode::no_memory : ErrorCode::unsupported,
                           "io_uring cannot be used here: %s",
                           std::generic_category().message(-made).c_str());
    }
    const int file = image.fd();
    uring->file_registered_ = io_uring_register_files(&uring->ring_, &file, 1) == 0;
    if (!own.empty()) {
        // More than may be locked: then it goes without.
        const iovec memory{own.data(), own.size()};
        uring->memory_registered_ = io_uring_register_buffers(&uring->ring_, &memory, 1) == 0;
    }
    uring->slots_.resize(depth);
    uring->free_.resize(depth);
    std::iota(uring->free_.rbegin(), uring->free_.rend(), 0U);
    return uring;
}

// The kernel ends or cancels what is under way before the memory is let go.
Uring::~Uring() {
    if (ring_.ring_fd < 0)
        return;
    std::vector<Ended> rest;
    rest.reserve(slots_.size());
    while (!idle()) {
        push();
        io_uring_cqe* completion = nullptr;
        if (io_uring_wait_cqe(&ring_, &completion) < 0 && errno != EINTR)
            break;
        take(rest);
        rest.clear();
    }
    io_uring_queue_exit(&ring_);
}

void Uring::prepare(std::uint32_t number) noexcept {
    const Slot& slot = slots_[number];
    io_uring_sqe* entry = io_uring_get_sqe(&ring_);
    if (entry == nullptr) {  // all are prepared and not handed over yet
        push();
        entry = io_uring_get_sqe(&ring_);
        CW_ASSERT(entry != nullptr);
    }
    const int file = file_registered_ ? 0 : image_.fd();
    std::byte* const data = slot.order.data + slot.done;
    const auto length = static_cast<unsigned>(slot.order.length - slot.done);
    const std::uint64_t offset = slot.order.offset + slot.done;
    const bool own =
        memory_registered_ && data >= own_.data() && data + length <= own_.data() + own_.size();
    if (slot.order.operation == Operation::read) {
        if (own)
            io_uring_prep_read_fixed(entry, file, data, length, offset, 0);
        else
            io_uring_prep_read(entry, file, data, length, offset);
    } else {
        if (own)
            io_uring_prep_write_fixed(entry, file, data, length, offset, 0);
        else
            io_uring_prep_write(entry, file, data, length, offset);
        if ((slot.order.flags & wire::request_flag::kFua) != 0)
            entry->rw_flags = RWF_DSYNC;
    }
    if (file_registered_)
        entry->flags |= IOSQE_FIXED_FILE;
    io_uring_sqe_set_data64(entry, number);
    ++unsubmitted_;
}

bool Uring::submit(const Order& order) noexcept {
    if (free_.empty())
        return false;
    const std::uint32_t number = free_.back();
    free_.pop_back();
    slots_[number] = {order, 0};
    prepare(number);
    return true;
}

void Uring::push() noexcept {
    while (unsubmitted_ != 0) {
        const int taken = io_uring_submit(&ring_);
        if (taken == -EINTR)
            continue;
        if (taken <= 0)
            return;  // the kernel is short of something: next time
        unsubmitted_ -= std::min(unsubmitted_, static_cast<std::uint32_t>(taken));
    }
}

bool Uring::go_on(std::uint32_t number, int result, int& error) noexcept {
    Slot& slot = slots_[number];
    error = 0;
    if (result == -EINTR || result == -EAGAIN) {
        prepare(number);
        return false;
    }
    if (result < 0) {
        error = -result;
        return true;
    }
    if (result == 0) {
        if (slot.order.operation == Operation::read)
            image_.note_truncated();
        error = EIO;
        return true;
    }
    slot.done += static_cast<std::uint32_t>(result);
    if (slot.done >= slot.order.length)
        return true;
    prepare(number);
    return false;
}

void Uring::take(std::vector<Ended>& out) noexcept {
    io_uring_cqe* completions[32];
    for (;;) {
        const unsigned count = io_uring_peek_batch_cqe(&ring_, completions, 32);
        if (count == 0)
            break;
        for (unsigned i = 0; i < count; ++i) {
            const auto number = static_cast<std::uint32_t>(completions[i]->user_data);
            int error = 0;
            if (!go_on(number, completions[i]->res, error))
                continue;
            out.push_back({slots_[number].order.cookie, error});
            free_.push_back(number);
        }
        io_uring_cq_advance(&ring_, count);
    }
    push();
}

}  // namespace causeway::io::block
