// Inbox: how other threads hand work to the control thread.
//
// Threading: post() from any thread; run_all() and fd() on the control thread.
// Ownership: shared by everybody who may still post; whoever drops the last reference drops what
// was never run.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "base/result.hpp"
#include "platform/fd.hpp"

namespace causeway::adapter {

class Inbox {
public:
    using Task = std::function<void()>;

    [[nodiscard]] static Result<std::shared_ptr<Inbox>> create();
    explicit Inbox(platform::UniqueFd event) noexcept : event_(std::move(event)) {}

    void post(Task task);
    // Runs what was posted before the call; says how many.
    std::size_t run_all();
    // Readable while something waits.
    [[nodiscard]] int fd() const noexcept { return event_.get(); }

private:
    platform::UniqueFd event_;
    std::mutex mutex_;
    std::vector<Task> tasks_;
};

}  // namespace causeway::adapter
