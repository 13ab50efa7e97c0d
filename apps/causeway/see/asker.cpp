#include "see/asker.hpp"

#include <sys/eventfd.h>

#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>

#include "base/result.hpp"
#include "platform/fd.hpp"

namespace causeway::cli {

struct Asker::State {
    std::string socket;
    platform::UniqueFd ready;
    std::mutex mutex;
    std::condition_variable changed;
    bool wanted = false;
    bool stop = false;
    std::optional<Result<Sample>> sample;

    void run() {
        std::unique_lock lock(mutex);
        while (true) {
            changed.wait(lock, [&] { return wanted || stop; });
            if (stop)
                return;
            wanted = false;
            lock.unlock();
            Result<Sample> taken = take_sample(socket);
            lock.lock();
            sample.emplace(std::move(taken));
            (void)::eventfd_write(ready.get(), 1);
        }
    }
};

Result<std::unique_ptr<Asker>> Asker::start(const std::string& socket) {
    auto state = std::make_shared<State>();
    state->socket = socket;
    state->ready = platform::UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!state->ready)
        return fail_errno("eventfd", errno);
    try {
        std::thread([state] { state->run(); }).detach();
    } catch (const std::system_error& error) {
        return fail(ErrorCode::no_memory,
                    std::string("a thread to ask the adapter: ") + error.what());
    }
    return std::unique_ptr<Asker>(new Asker(std::move(state)));
}

Asker::~Asker() {
    const std::lock_guard lock(state_->mutex);
    state_->stop = true;
    state_->changed.notify_one();
}

int Asker::fd() const noexcept { return state_->ready.get(); }

void Asker::ask() {
    if (asking_)
        return;
    asking_ = true;
    const std::lock_guard lock(state_->mutex);
    state_->wanted = true;
    state_->changed.notify_one();
}

std::optional<Result<Sample>> Asker::take() {
    eventfd_t count = 0;
    (void)::eventfd_read(state_->ready.get(), &count);
    const std::lock_guard lock(state_->mutex);
    if (!state_->sample)
        return std::nullopt;
    asking_ = false;
    auto taken = std::move(state_->sample);
    state_->sample.reset();
    return taken;
}

}  // namespace causeway::cli
