#include "adapter/disposer.hpp"

#include <deque>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace causeway::adapter {

struct Disposer::State {
    std::mutex mutex;
    std::deque<platform::UniqueFd> waiting;
    std::size_t closing = 0;
    std::size_t threads = 0;

    void work() {
        std::unique_lock lock(mutex);
        while (!waiting.empty()) {
            platform::UniqueFd fd = std::move(waiting.front());
            waiting.pop_front();
            ++closing;
            lock.unlock();
            fd.reset();
            lock.lock();
            --closing;
        }
        --threads;
    }
};

Disposer::Disposer() : state_(std::make_shared<State>()) {}
Disposer::~Disposer() = default;

void Disposer::dispose(platform::UniqueFd fd) {
    {
        const std::lock_guard lock(state_->mutex);
        state_->waiting.push_back(std::move(fd));
        // One that is not inside a close comes back for this one.
        if (state_->threads > state_->closing || state_->threads == kMostThreads)
            return;
        ++state_->threads;
    }
    try {
        std::thread([state = state_] { state->work(); }).detach();
    } catch (const std::system_error&) {
        const std::lock_guard lock(state_->mutex);
        --state_->threads;  // the next one tries again
    }
}

std::size_t Disposer::pending() const {
    const std::lock_guard lock(state_->mutex);
    return state_->waiting.size() + state_->closing;
}

}  // namespace causeway::adapter
