#include "client/event_waiter.hpp"

#include <linux/futex.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "client/nap.hpp"

namespace causeway::client {
namespace {

static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t));

void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected,
                std::uint64_t limit_ns) noexcept {
    const timespec limit = timespec_of(limit_ns);
    (void)::syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, expected, &limit, nullptr, 0);
}

void futex_wake_all(std::atomic<std::uint32_t>& word) noexcept {
    (void)::syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

[[nodiscard]] Result<void> watch(int epoll, int fd) {
    epoll_event want{};
    want.events = EPOLLIN;
    want.data.fd = fd;
    if (::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &want) == 0)
        return {};
    return fail_errno("watch the partition's events", errno);
}

}  // namespace

Result<void> EventWaiter::open(platform::Mapping page, platform::WakeupSocket socket,
                               int liveness) {
    page_ = std::move(page);
    socket_ = std::move(socket);
    liveness_ = liveness;
    epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
    if (!epoll_)
        return fail_errno("epoll_create1 for the partition's events", errno);
    unseen_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!unseen_)
        return fail_errno("eventfd for the partition's events", errno);
    CW_TRY(watch(epoll_.get(), socket_.fd()));
    CW_TRY(watch(epoll_.get(), unseen_.get()));
    bell_ = shm::DoorbellWaiter(page_.at<abi::DoorbellLayout>());
    bell_.announce_sleep();  // always: it is the socket that is listened to
    return {};
}

EventWaiter::Drained EventWaiter::drain() noexcept {
    const auto drained = socket_.drain();
    bool rung = drained != platform::WakeupSocket::Drained::nothing;
    bell_.take([&rung](std::uint32_t) { rung = true; });
    if (drained == platform::WakeupSocket::Drained::peer_gone)
        return Drained::adapter_gone;
    return rung ? Drained::some : Drained::nothing;
}

void EventWaiter::renew_ticket() noexcept {
    ticket_.fetch_add(1, std::memory_order_acq_rel);
    futex_wake_all(ticket_);
}

EventWaiter::Waited EventWaiter::wait(std::uint32_t ticket, std::uint64_t limit_ns) noexcept {
    if (stopped_.load(std::memory_order_acquire))
        return Waited::adapter_gone;
    const std::uint64_t nap = std::min(limit_ns, kNapNs);
    Waited waited = Waited::changed;
    // SYNC(event-reader): acquire, pairs with the release in leave(); one reader at a time, so that
    // no byte is drained while another thread's poll() is about to look for it.
    if (reading_.exchange(1, std::memory_order_acquire) != 0) {
        futex_wait(ticket_, ticket, nap);
        waited = this->ticket() != ticket ? Waited::changed : Waited::napped;
    } else {
        if (this->ticket() == ticket) {
            const Nap napped = nap_on(socket_.fd(), liveness_, nap);
            const Drained drained = drain();
            if (drained != Drained::nothing)
                (void)::eventfd_write(unseen_.get(), 1);
            if (napped == Nap::adapter_gone || drained == Drained::adapter_gone) {
                waited = Waited::adapter_gone;
            } else if (drained == Drained::nothing) {
                waited = Waited::napped;
            }
        }
        leave();
    }
    return stopped_.load(std::memory_order_acquire) ? Waited::adapter_gone : waited;
}

// Ends the reading: the ticket is renewed also without news, since one of the others must take over
// (a thread on its way into futex_wait() would otherwise sleep while nobody reads).
void EventWaiter::leave() noexcept {
    reading_.store(0, std::memory_order_release);
    renew_ticket();
}

// A thread that reads at the moment sees the byte itself, and raises unseen_ again.
EventWaiter::Drained EventWaiter::take_turn() noexcept {
    if (reading_.exchange(1, std::memory_order_acquire) != 0)
        return Drained::nothing;
    const Drained drained = drain();
    leave();
    return drained;
}

EventWaiter::Processed EventWaiter::process() noexcept {
    eventfd_t count = 0;
    (void)::eventfd_read(unseen_.get(), &count);
    const Drained drained = take_turn();
    if (count != 0 || drained != Drained::nothing)
        tell_subscribers();
    return drained == Drained::adapter_gone ? Processed::adapter_gone : Processed::well;
}

EventWaiter::Processed EventWaiter::look() noexcept {
    const Drained drained = take_turn();
    if (drained != Drained::nothing)
        (void)::eventfd_write(unseen_.get(), 1);
    return drained == Drained::adapter_gone ? Processed::adapter_gone : Processed::well;
}

Result<void> EventWaiter::subscribe(int file) {
    const std::lock_guard lock(subscribers_lock_);
    subscribers_.push_back(file);
    return {};
}

void EventWaiter::unsubscribe(int file) noexcept {
    const std::lock_guard lock(subscribers_lock_);
    std::erase(subscribers_, file);
}

void EventWaiter::tell_subscribers() noexcept {
    const std::lock_guard lock(subscribers_lock_);
    for (const int file : subscribers_)
        (void)::eventfd_write(file, 1);
}

Result<void> EventWaiter::also_watch(int file) { return watch(epoll_.get(), file); }

void EventWaiter::poke() noexcept {
    if (unseen_)
        (void)::eventfd_write(unseen_.get(), 1);
    renew_ticket();
}

void EventWaiter::stop() noexcept {
    stopped_.store(true, std::memory_order_release);
    renew_ticket();
}

void EventWaiter::abandon() noexcept {
    (void)page_.release();
    (void)socket_.release().release();
    (void)epoll_.release();
    (void)unseen_.release();
}

}  // namespace causeway::client
