#include "lane.hpp"

#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <utility>

namespace causeway::nbd {
namespace {

using Clock = std::chrono::steady_clock;

// How long a leader looks for results before it sleeps, which costs it and the unit some 10 us.
constexpr auto kSpin = std::chrono::microseconds(25);

constexpr int kLooks = 32;  // of these, before it lets others have the core
// Bytes under way, from which on a request waits: more would not stay in the caches on their way.
constexpr std::uint64_t kMuchMoving = 2U << 20;
constexpr int kYields = 16;        // before a sleep
constexpr int kLookAgainMs = 200;  // a sleeper: whether it has waited too long, or for nobody

constexpr std::uint64_t kWithoutBell = 1;  // ns, as the time-out of a poll: does not wait
constexpr std::uint64_t kWithBell = 0;     // does not wait either, and prepares the bell

void futex(std::atomic<std::uint32_t>* word, int operation, std::uint32_t value) noexcept {
    static_assert(sizeof *word == sizeof(std::uint32_t));
    (void)::syscall(SYS_futex, word, operation, value, nullptr, nullptr, 0);
}

void look_elsewhere(int looks) noexcept {
    if (looks % kLooks == 0)
        ::sched_yield();
    else
        __builtin_ia32_pause();
}

// The lock is held for a microsecond at most times: looking at it so long is cheaper than a sleep.
template<typename Lock>
void enter(Lock& lock) noexcept {
    for (int i = 0; i < 100; ++i) {
        if (lock.try_lock())
            return;
        __builtin_ia32_pause();
    }
    lock.lock();
}

// What a call that has not begun a request says.
[[nodiscard]] int errno_of(int code) noexcept {
    switch (code) {
        case CW_ERROR_INVALID_ARGUMENT:
            return EINVAL;
        case CW_ERROR_NO_MEMORY:
        case CW_ERROR_LIMIT_REACHED:
            return ENOMEM;
        case CW_ERROR_ADAPTER_GONE:
            return ESHUTDOWN;
        default:
            return EIO;
    }
}

}  // namespace

// Giving the core away comes first: where the cores are busy the answer is there by then, and being
// woken up would cost several times as much.
void Lane::Waiter::sleep() noexcept {
    for (int i = 0; i < kYields; ++i) {
        if (state.load(std::memory_order_acquire) != 0)
            return;
        ::sched_yield();
    }
    if (state.fetch_or(kSleeps, std::memory_order_acq_rel) != 0)
        return;
    while (state.load(std::memory_order_acquire) == kSleeps)
        futex(&state, FUTEX_WAIT_PRIVATE, kSleeps);
}

// Of a waiter that has gone meanwhile nothing but the address is used: at worst a thread that
// sleeps on something else there looks once in vain.
void Lane::Wakings::wake() noexcept {
    while (count != 0)
        futex(all[--count], FUTEX_WAKE_PRIVATE, 1);
}

Lane::Lane(block::Disk disk, StillWanted still_wanted)
    : disk_(std::move(disk)),
      still_wanted_(still_wanted),
      bell_(cw_disk_fd(disk_.raw())),
      depth_(disk_.info().depth) {}

Ended Lane::submit(Lock& lock, const cw_disk_request& request, Waiter& self) {
    const bool moves =
        request.operation == CW_DISK_OP_READ || request.operation == CW_DISK_OP_WRITE;
    self.bytes = moves ? request.length : 0;
    room_.wait(lock, [&] {
        return broken_ || (outstanding_ < depth_ && (!moves || moving_ < kMuchMoving));
    });
    if (broken_)
        return {ESHUTDOWN, 0};
    if (const int code = cw_disk_submit(disk_.raw(), &request); code != CW_OK)
        return {errno_of(code), 0};
    ++outstanding_;
    moving_ += self.bytes;
    return {};
}

Ended Lane::call(cw_disk_request request) {
    Waiter self;
    Wakings wakings;
    request.user = reinterpret_cast<std::uint64_t>(&self);
    Lock lock(mutex_, std::defer_lock);
    enter(lock);
    if (const Ended refused = submit(lock, request, self); refused.error != 0)
        return refused;
    if (led_) {
        self.next = std::exchange(followers_, &self);
        // Who comes by takes what there is: that spares the leader a look.
        if (!asleep_)
            (void)take(self, kWithoutBell, wakings);
        lock.unlock();
        wakings.wake();
        self.sleep();
        if ((self.state.load(std::memory_order_acquire) & Waiter::kLeads) == 0)
            return self.ended;
        enter(lock);
    }
    led_ = true;
    lead(lock, self);
    return self.ended;
}

// Until its own result is there; then somebody else leads.
void Lane::lead(Lock& lock, Waiter& self) {
    Wakings wakings;
    Clock::time_point since = Clock::now();
    int looks = 0;
    while (!self.done()) {
        const bool tired = Clock::now() - since >= kSpin;
        const bool any = take(self, tired ? kWithBell : kWithoutBell, wakings);
        if (self.done())
            break;
        asleep_ = tired && !any;
        lock.unlock();
        wakings.wake();
        bool wanted = true;
        if (any) {
            since = Clock::now();
        } else if (tired) {
            pollfd file{bell_, POLLIN, 0};
            wanted = ::poll(&file, 1, kLookAgainMs) != 0 || still_wanted_();
            since = Clock::now();
        } else {
            look_elsewhere(++looks);
        }
        enter(lock);
        asleep_ = false;
        if (!wanted)
            break_off(self, wakings);
    }
    if (followers_ != nullptr) {
        Waiter& heir = *std::exchange(followers_, followers_->next);
        if (heir.tell(Waiter::kLeads))
            wakings.add(heir);
    } else {
        led_ = false;
    }
    lock.unlock();
    wakings.wake();
}

// Takes what results there are; false: none.
bool Lane::take(const Waiter& self, std::uint64_t timeout_ns, Wakings& wakings) {
    std::array<cw_disk_result, 64> results;
    const int count =
        cw_disk_poll(disk_.raw(), results.data(), static_cast<int>(results.size()), timeout_ns);
    for (int i = 0; i < count; ++i) {
        const cw_disk_result& result = results[static_cast<std::size_t>(i)];
        finish(*reinterpret_cast<Waiter*>(result.user), {result.error, result.extents}, self,
               wakings);
    }
    return count > 0;
}

void Lane::finish(Waiter& waiter, const Ended& ended, const Waiter& self, Wakings& wakings) {
    for (Waiter** at = &followers_; *at != nullptr; at = &(*at)->next) {
        if (*at == &waiter) {
            *at = waiter.next;
            break;
        }
    }
    if (ended.error == ESHUTDOWN)
        broken_ = true;
    --outstanding_;
    moving_ -= waiter.bytes;
    room_.notify_all();
    waiter.ended = ended;
    // It may have gone as soon as it knows: of it the address alone is used after that.
    if (waiter.tell(Waiter::kDone) && &waiter != &self)
        wakings.add(waiter);
}

// Nobody waits for the leader's request any more: the disk is closed, so that nothing reaches its
// buffer. The others ask another lane.
void Lane::break_off(Waiter& self, Wakings& wakings) {
    disk_ = block::Disk();
    broken_ = true;
    finish(self, {ESHUTDOWN, 0}, self, wakings);
    room_.notify_all();
    while (followers_ != nullptr) {
        finish(*followers_, {ESHUTDOWN, 0}, self, wakings);
        if (wakings.count == wakings.all.size())
            wakings.wake();
    }
}

}  // namespace causeway::nbd
