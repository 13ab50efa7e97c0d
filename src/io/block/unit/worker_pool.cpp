#include "io/block/unit/worker_pool.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <new>
#include <system_error>

namespace causeway::io::block {

Result<std::unique_ptr<WorkerPool>> WorkerPool::start(Image& image, std::uint32_t threads) {
    std::unique_ptr<WorkerPool> pool(new WorkerPool(image));
    pool->bell_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!pool->bell_)
        return fail_errno("eventfd for a disk", errno);
    pool->ended_.reserve(256);
    try {
        for (std::uint32_t i = 0; i < threads; ++i)
            pool->threads_.emplace_back([raw = pool.get()] { raw->work(); });
    } catch (const std::system_error& error) {
        return fail_errno("start a thread for a disk", error.code().value());
    }
    return pool;
}

WorkerPool::~WorkerPool() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        orders_.clear();
    }
    wanted_.notify_all();
    for (std::thread& thread : threads_)
        thread.join();
}

void WorkerPool::submit(const Order& order) {
    {
        const std::lock_guard lock(mutex_);
        orders_.push_back(order);
    }
    wanted_.notify_one();
}

void WorkerPool::take(std::vector<Ended>& out) {
    std::uint64_t count = 0;
    (void)!::read(bell_.get(), &count, sizeof count);
    const std::lock_guard lock(mutex_);
    out.insert(out.end(), ended_.begin(), ended_.end());
    ended_.clear();
    ended_count_.store(0, std::memory_order_release);
}

int WorkerPool::execute(const Order& order) {
    switch (order.operation) {
        case Operation::read:
            return image_.read(order.offset, order.data, order.length);
        case Operation::write:
            return image_.write(order.offset, order.data, order.length, order.flags);
        case Operation::flush:
            return image_.flush();
        case Operation::zero:
            return image_.zero(order.offset, order.length, order.flags);
        case Operation::discard:
            return image_.discard(order.offset, order.length, order.flags);
        case Operation::extents:
            return image_.extents(order.offset, order.length, order.flags, *order.extents);
    }
    return EINVAL;
}

void WorkerPool::work() noexcept {
    for (;;) {
        Order order;
        {
            std::unique_lock lock(mutex_);
            wanted_.wait(lock, [&] { return stopping_ || !orders_.empty(); });
            if (stopping_)
                return;
            order = orders_.front();
            orders_.pop_front();
        }
        Ended ended{order.cookie, ENOMEM};
        try {
            ended.error = execute(order);
        } catch (const std::bad_alloc&) {  // NOLINT(bugprone-empty-catch): ENOMEM, as it says
        }
        const std::lock_guard lock(mutex_);
        ended_.push_back(ended);  // there are never more under way than its owner's jobs
        ended_count_.store(static_cast<std::uint32_t>(ended_.size()), std::memory_order_release);
        (void)::eventfd_write(bell_.get(), 1);
    }
}

}  // namespace causeway::io::block
