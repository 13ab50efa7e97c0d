#include "adapter/side_threads.hpp"

#include <deque>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace causeway::adapter {

struct SideThreads::State {
    explicit State(std::size_t limit) : most(limit) {}

    const std::size_t most;
    std::mutex mutex;
    std::deque<std::function<void()>> waiting;
    std::size_t running = 0;  // tasks
    std::size_t threads = 0;

    // Guarded by the mutex. Threads that are not inside a task come back for what waits.
    [[nodiscard]] bool stuck() const {
        return !waiting.empty() && threads == running && threads < most;
    }

    void work() {
        std::unique_lock lock(mutex);
        while (!waiting.empty()) {
            std::function<void()> task = std::move(waiting.front());
            waiting.pop_front();
            ++running;
            lock.unlock();
            task();
            task = nullptr;
            lock.lock();
            --running;
        }
        --threads;
    }
};

SideThreads::SideThreads(std::size_t most) : state_(std::make_shared<State>(most)) {}

void SideThreads::post(std::function<void()> task) {
    {
        const std::lock_guard lock(state_->mutex);
        state_->waiting.push_back(std::move(task));
        // Threads that are not inside a task come back for what waits.
        if (state_->waiting.size() <= state_->threads - state_->running ||
            state_->threads == state_->most)
            return;
        ++state_->threads;
    }
    add_thread();
}

bool SideThreads::stuck() const {
    const std::lock_guard lock(state_->mutex);
    return state_->stuck();
}

void SideThreads::try_again() {
    {
        const std::lock_guard lock(state_->mutex);
        if (!state_->stuck())
            return;
        ++state_->threads;
    }
    add_thread();
}

// It is counted already.
void SideThreads::add_thread() {
    try {
        std::thread([state = state_] { state->work(); }).detach();
    } catch (const std::system_error&) {
        const std::lock_guard lock(state_->mutex);
        --state_->threads;
    }
}

}  // namespace causeway::adapter
