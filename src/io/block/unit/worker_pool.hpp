// WorkerPool: threads that execute orders with calls that wait.
//
// Threading: submit(), take() and file() on one thread; its own threads do the rest.
// Ownership: owns its threads; borrows the image, which outlives it. Destroying it waits for what
// has begun, and drops the rest.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "io/block/unit/image.hpp"
#include "io/block/unit/order.hpp"

namespace causeway::io::block {

class WorkerPool {
public:
    [[nodiscard]] static Result<std::unique_ptr<WorkerPool>> start(Image& image,
                                                                   std::uint32_t threads);
    ~WorkerPool();
    WorkerPool(const WorkerPool&) = delete;
    WorkerPool& operator=(const WorkerPool&) = delete;

    // Throws std::bad_alloc only.
    void submit(const Order& order);
    // Moves what has ended to `out`.
    void take(std::vector<Ended>& out);
    // Readable when take() has something. Looking at it is a system call: any() is none.
    [[nodiscard]] int fd() const noexcept { return bell_.get(); }
    [[nodiscard]] bool any() const noexcept {
        return ended_count_.load(std::memory_order_acquire) != 0;
    }

private:
    explicit WorkerPool(Image& image) noexcept : image_(image) {}
    void work() noexcept;
    [[nodiscard]] int execute(const Order& order);

    Image& image_;
    platform::UniqueFd bell_;
    std::mutex mutex_;
    std::condition_variable wanted_;
    std::deque<Order> orders_;
    std::vector<Ended> ended_;
    // SYNC(pool-ended): stored under the mutex; any() may look without it, take() looks with it.
    std::atomic<std::uint32_t> ended_count_{0};
    bool stopping_ = false;
    std::vector<std::thread> threads_;
};

}  // namespace causeway::io::block
