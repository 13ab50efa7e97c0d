#include "io/block/unit/device.hpp"

#include <sys/uio.h>

#include <cerrno>
#include <new>

namespace causeway::io::block {

Result<std::unique_ptr<Device>> Device::make(Image& image, Engine engine,
                                             std::span<std::byte> own) {
    std::unique_ptr<Device> device(new Device(image));
    device->ended_.reserve(kDepth);
    device->cached_reads_ = image.cached();
    if (engine == Engine::threads) {
        device->fallback_ = "threads were asked for";
    } else if (auto uring = Uring::make(image, kDepth, own); uring.has_value()) {
        device->uring_ = std::move(*uring);
    } else if (uring.error().code == ErrorCode::unsupported) {
        device->fallback_ = uring.error().text;
    } else {
        return fail(uring.error().code, uring.error().text);
    }
    CW_TRY_ASSIGN(device->pool_, WorkerPool::start(image, device->uring_ ? kHelpers : kThreads));
    return device;
}

// Handing over what does not wait for a device would cost more than doing it.
std::optional<int> Device::try_at_once(const Order& order) noexcept {
    if (image_.truncated())
        return EIO;
    if (image_.in_memory()) {
        switch (order.operation) {
            case Operation::read:
                return image_.read(order.offset, order.data, order.length);
            case Operation::write:
                return image_.write(order.offset, order.data, order.length, 0);
            case Operation::flush:
                return image_.flush();
            default:
                return std::nullopt;
        }
    }
    if (order.operation != Operation::read || !cached_reads_)
        return std::nullopt;
    const iovec vector{order.data, order.length};
    const ssize_t got =
        ::preadv2(image_.fd(), &vector, 1, static_cast<off_t>(order.offset), RWF_NOWAIT);
    if (got == static_cast<ssize_t>(order.length))
        return 0;
    if (got < 0 && errno == EOPNOTSUPP)
        cached_reads_ = false;  // its file system does not know that
    return std::nullopt;
}

std::optional<int> Device::submit(const Order& order) noexcept {
    const bool ring =
        uring_ && (order.operation == Operation::read || order.operation == Operation::write);
    if (ring) {
        if (!uring_->submit(order))
            return EBUSY;
    } else {
        try {
            pool_->submit(order);
        } catch (const std::bad_alloc&) {
            return ENOMEM;
        }
    }
    ++under_way_;
    return std::nullopt;
}

std::span<const Ended> Device::ended() noexcept {
    ended_.clear();
    if (under_way_ == 0)
        return ended_;
    if (uring_) {
        uring_->push();
        uring_->take(ended_);
    }
    if (pool_->any())
        pool_->take(ended_);
    under_way_ -= static_cast<std::uint32_t>(ended_.size());
    return ended_;
}

}  // namespace causeway::io::block
