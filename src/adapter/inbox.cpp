#include "adapter/inbox.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace causeway::adapter {

Result<std::shared_ptr<Inbox>> Inbox::create() {
    platform::UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!event)
        return fail_errno("eventfd for the control thread", errno);
    return std::make_shared<Inbox>(std::move(event));
}

void Inbox::post(Task task) {
    {
        const std::lock_guard lock(mutex_);
        tasks_.push_back(std::move(task));
    }
    // A full counter means that a wake-up is pending already.
    const std::uint64_t one = 1;
    while (::write(event_.get(), &one, sizeof one) < 0 && errno == EINTR) {}
}

std::size_t Inbox::run_all() {
    std::uint64_t count = 0;
    while (::read(event_.get(), &count, sizeof count) < 0 && errno == EINTR) {}
    std::vector<Task> tasks;
    {
        const std::lock_guard lock(mutex_);
        tasks.swap(tasks_);
    }
    for (Task& task : tasks)
        task();
    return tasks.size();
}

}  // namespace causeway::adapter
