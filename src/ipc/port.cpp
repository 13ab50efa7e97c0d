#include "ipc/port.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "client/last_error.hpp"
#include "client/nap.hpp"

namespace causeway::ipc::inner {
namespace {

constexpr std::uint64_t kSpinNs = 30'000;             // before a sleep
constexpr std::uint64_t kLookNs = 100'000;            // between looks at the door, spinning
constexpr std::uint64_t kAskAgainNs = 1'000'000'000;  // at the door, without a knock
constexpr std::uint64_t kNapNs = client::kNapNs;

[[nodiscard]] Result<void> watch(int poll, int file, std::uint32_t events) {
    epoll_event want{};
    want.events = events;
    want.data.fd = file;
    if (::epoll_ctl(poll, EPOLL_CTL_ADD, file, &want) == 0)
        return {};
    return fail_errno("watch for messages", errno);
}

}  // namespace

Result<std::unique_ptr<Port>> Port::open(std::shared_ptr<client::Partition> partition, cw_wait how,
                                         Doors doors) {
    std::unique_ptr<Port> port(new Port(std::move(partition), how, doors));
    CW_TRY_ASSIGN(port->queue_, client::CompletionQueue::create(port->partition_));
    if (doors == Doors::listens)
        CW_TRY(port->open_files());
    return port;
}

Port::~Port() {
    if (queue_ && !queue_->here()) {  // a forked child: its parent's descriptors
        (void)poll_.release();
        (void)kicks_.release();
        (void)timer_.release();
        return;
    }
    if (kicks_)
        partition_->unsubscribe_from_events(kicks_.get());
}

Result<void> Port::open_files() {
    poll_.reset(::epoll_create1(EPOLL_CLOEXEC));
    if (!poll_)
        return fail_errno("epoll_create1 for messages", errno);
    kicks_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!kicks_)
        return fail_errno("eventfd for messages", errno);
    timer_.reset(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    if (!timer_)
        return fail_errno("timerfd for deadlines", errno);
    CW_TRY(watch(poll_.get(), kicks_.get(), EPOLLIN));
    CW_TRY(watch(poll_.get(), timer_.get(), EPOLLIN));
    CW_TRY(watch(poll_.get(), queue_->fd(), EPOLLIN));
    if (doors_ == Doors::none)
        return {};
    // By edges: events show there until the application's own loop has processed them.
    CW_TRY(partition_->subscribe_to_events(kicks_.get()));
    return watch(poll_.get(), partition_->event_fd(), EPOLLIN | EPOLLET);
}

// Takes over what a call on the completion queue returned: is there a completion now?
bool Port::note(int count) noexcept {
    at_ = 0;
    count_ = std::max(count, 0);
    if (count < 0)
        ended_ = true;
    return count > 0;
}

const cw_completion* Port::refill() noexcept {
    return note(queue_->poll(batch_.data(), kBatch)) ? &batch_[at_++] : nullptr;
}

bool Port::knocked() noexcept {
    if (!may_be_knocked())
        return false;
    first_knock_ = false;
    // Before the door is looked at: what is wanted after that look makes the ticket old.
    if (partition_->events_rung())
        partition_->look_at_events();
    ticket_ = partition_->event_ticket();
    asked_ns_ = platform::monotonic_ns();
    return true;
}

Port::Woken Port::wait(std::uint64_t until_ns) noexcept {
    while (!ended_) {
        const std::uint64_t now = until_ns == kForever ? 0 : platform::monotonic_ns();
        if (now >= until_ns)
            return Woken::timed_out;
        const std::uint64_t left = until_ns == kForever ? kForever : until_ns - now;
        if (doors_ == Doors::none) {
            // Wakes up as soon as something comes, and by itself when the adapter returns.
            if (note(queue_->wait(batch_.data(), kBatch, left, how_)))
                return Woken::something;
            continue;
        }
        if (how_ != CW_WAIT_BLOCK) {
            const std::uint64_t limit = how_ == CW_WAIT_SPIN ? kLookNs : kSpinNs;
            if (note(queue_->wait(batch_.data(), kBatch, std::min(left, limit), CW_WAIT_SPIN)))
                return Woken::something;
            if (may_be_knocked())
                return Woken::something;
            if (how_ == CW_WAIT_SPIN)
                continue;
        }
        if (sleep(left) == Woken::something)
            return Woken::something;
    }
    return Woken::something;
}

// One nap at most, on the completion queue and the partition's events.
Port::Woken Port::sleep(std::uint64_t left_ns) noexcept {
    const int armed = queue_->arm();
    if (armed == 0) {
        if (may_be_knocked())
            return Woken::something;
        (void)client::nap_on(poll_.get(), -1, std::min(left_ns, kNapNs));
        drain();
    } else if (armed < 0) {
        ended_ = true;
    }
    if (platform::monotonic_ns() - asked_ns_ > kAskAgainNs)
        first_knock_ = true;
    if (note(queue_->poll(batch_.data(), kBatch)) || may_be_knocked())
        return Woken::something;
    // An event that somebody else has processed shows by the ticket; nothing else came.
    return Woken::timed_out;
}

void Port::drain() noexcept {
    std::array<epoll_event, 4> events{};
    const int count = ::epoll_wait(poll_.get(), events.data(), static_cast<int>(events.size()), 0);
    for (int i = 0; i < count; ++i) {
        const int file = events[static_cast<std::size_t>(i)].data.fd;
        std::uint64_t value = 0;
        if (file == kicks_.get() || file == timer_.get())
            (void)!::read(file, &value, sizeof value);
        if (file == timer_.get())
            timer_ns_ = kForever;
    }
    kicked_ = false;
}

int Port::fd() noexcept {
    if (!poll_) {
        auto opened = open_files();
        if (!opened.has_value()) {
            poll_.reset();
            return -static_cast<int>(client::set_error(opened.error()));
        }
    }
    if (!watched_) {
        watched_ = true;
        kick();  // whoever waits first finds out that there is nothing
    }
    return poll_.get();
}

void Port::kick() noexcept {
    if (!watched_ || kicked_)
        return;
    kicked_ = ::eventfd_write(kicks_.get(), 1) == 0;
}

// One that is set for an earlier moment stays: it wakes up once for nothing, where setting it anew
// would cost a system call before every sleep.
void Port::set_timer(std::uint64_t deadline_ns) noexcept {
    if (deadline_ns >= timer_ns_)
        return;
    timer_ns_ = deadline_ns;
    itimerspec when{};
    when.it_value = client::timespec_of(std::max<std::uint64_t>(deadline_ns, 1));
    (void)::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
}

void Port::settle(Worth worth, std::uint64_t deadline_ns) noexcept {
    if (!watched_)
        return;
    drain();
    if (worth == Worth::something || ended_) {
        kick();
        return;
    }
    set_timer(deadline_ns);
    for (int tries = 0; tries < 4; ++tries) {
        const int armed = queue_->arm();
        if (armed == 0) {
            if (may_be_knocked())
                kick();
            return;
        }
        if (note(armed < 0 ? armed : queue_->poll(batch_.data(), kBatch)) || ended_)
            break;
    }
    kick();
}

}  // namespace causeway::ipc::inner
