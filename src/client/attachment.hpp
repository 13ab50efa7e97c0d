// Attachment: a partition's tie to its adapter, through the death of one adapter and on with the
// next.
//
//   here  --the adapter ends-->  away  --resumed-->  here, one epoch later
//                                 |
//                                 +--refused, patience over, closed-->  gone (for good)
//
// It has no thread: whoever is in a library call drives it (drive()), and an application that
// sleeps in its own loop is brought back by pulse(). Without a token from the adapter, or without
// patience, `here` goes to `gone` at once.
//
// Threading: all functions may be called from any thread. One at a time drives.
// Ownership: owns connection, liveness, holdings and pulse; borrows the event waiter.
//
// Invariants:
//  1. standing() and epoch() are one word, changed as one: who saw a hang-up in one epoch cannot
//     end the next one.
//  2. Holdings change together with what the adapter knows: under calls_, which every exchange
//     holds from request to reply, and no attempt to resume begins in between. So what a lost reply
//     would have brought is never handed over, and what came always is.
//  3. Lock order: calls_ before lock_; with lock_ held, calls_ is only tried.
//  4. While away the sockets of the dead adapter are in no epoll set.
#pragma once

#include <causeway/abi/control.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "base/result.hpp"
#include "client/event_waiter.hpp"
#include "client/holdings.hpp"
#include "client/pulse.hpp"
#include "client/resumption.hpp"
#include "control/channel.hpp"
#include "platform/fd.hpp"

namespace causeway::client {

enum class Standing : std::uint32_t { here = 0, away = 1, gone = 2 };

// Standing and epoch at one moment.
class Moment {
public:
    explicit constexpr Moment(std::uint32_t word = 0) noexcept : word_(word) {}
    constexpr Moment(Standing standing, std::uint32_t epoch) noexcept
        : word_(epoch << 2 | static_cast<std::uint32_t>(standing)) {}
    [[nodiscard]] constexpr Standing standing() const noexcept {
        return static_cast<Standing>(word_ & 3);
    }
    [[nodiscard]] constexpr std::uint32_t epoch() const noexcept { return word_ >> 2; }
    [[nodiscard]] constexpr std::uint32_t word() const noexcept { return word_; }
    [[nodiscard]] constexpr bool operator==(const Moment&) const = default;

private:
    std::uint32_t word_;
};

class Attachment {
public:
    // How often a request is sent, at most: each time after the adapter has died under the one
    // before. (One that kills every adapter must not do so for ever.)
    static constexpr int kMostSendings = 3;
    static constexpr std::uint32_t kAnyEpoch = UINT32_MAX;

    Attachment(control::Channel channel, std::string path, EventWaiter& events);
    ~Attachment();
    Attachment(const Attachment&) = delete;
    Attachment& operator=(const Attachment&) = delete;
    [[nodiscard]] Result<void> open();
    // From here on the end of the adapter is survived, for `patience_ns` at most.
    [[nodiscard]] Result<void> survive(Identity identity, std::uint64_t patience_ns);
    // Ends it for good.
    void close() noexcept;
    // In a forked child: forgets what belongs to the parent.
    void abandon() noexcept;

    [[nodiscard]] Moment now() const noexcept {
        // SYNC(standing): acquire, pairs with the release in install(), end() and note_lost(): who
        // sees a new epoch sees the sockets of it under their numbers; who sees `gone` sees why.
        return Moment(word_.load(std::memory_order_acquire));
    }
    [[nodiscard]] Standing standing() const noexcept { return now().standing(); }
    [[nodiscard]] bool closed() const noexcept { return closed_.load(std::memory_order_acquire); }
    // wrong_state once closed, adapter_gone once that is gone for good.
    [[nodiscard]] Result<void> usable(const std::string& partition) const;

    // Somebody saw the adapter hang up something, while it was `seen`.
    void note_lost(Moment seen) noexcept;
    // While away: goes on with resuming, if it is time, without waiting.
    void drive() noexcept;
    // While away: sleeps until drive() has something to do, it is over, one of `also` is readable,
    // or `limit_ns` have passed.
    void nap(std::span<const int> also, std::uint64_t limit_ns) const noexcept;

    // A descriptor that hangs up with the adapter; its number stays.
    [[nodiscard]] int liveness() const noexcept { return liveness_.get(); }
    // Readable when drive() has something to do, and once gone; -1: nothing is survived.
    [[nodiscard]] int pulse() const noexcept { return pulse_.fd(); }
    // Readable while here, after having been away once.
    [[nodiscard]] int back() const noexcept { return back_.get(); }
    void set_movers(std::uint32_t count) noexcept { movers_ = count; }
    [[nodiscard]] std::uint32_t movers() const noexcept {
        return movers_.load(std::memory_order_relaxed);
    }
    [[nodiscard]] const std::string& path() const noexcept { return path_; }

    // Runs f(channel), which may make several exchanges, in one epoch; while away it waits for the
    // return, and where the adapter dies under it, f is run once more.
    template<typename F>
    [[nodiscard]] auto transact(F&& f) -> std::invoke_result_t<F&, control::Channel&> {
        for (int sent = 1;; ++sent) {
            std::unique_lock calls(calls_, std::defer_lock);
            CW_TRY(enter(calls));
            const Moment moment = now();
            auto result = f(*channel_);
            if (channel_->open())
                return result;
            calls.unlock();
            note_lost(moment);
            if (standing() == Standing::gone || sent == kMostSendings)
                return result;
        }
    }
    // The same for who must not wait: once, and `again` while away.
    template<typename F>
    [[nodiscard]] auto try_once(F&& f) -> std::invoke_result_t<F&, control::Channel&> {
        const std::lock_guard calls(calls_);
        const Moment moment = now();
        if (moment.standing() != Standing::here)
            return not_here();
        auto result = f(*channel_);
        if (!channel_->open())
            note_lost(moment);
        return result;
    }
    // Lets go of a thing, and then tells the adapter by f(channel). Does not wait for one that is
    // away: what is not handed over is forgotten. `epoch`: of what is never handed over, that of
    // the only adapter that knows it.
    template<typename F>
    [[nodiscard]] Result<void> give_back(Kind kind, std::uint32_t id, F&& f,
                                         std::uint32_t epoch = kAnyEpoch) {
        const std::lock_guard calls(calls_);
        // Before it is let go: an adapter that is noted as lost after that refuses below.
        const Moment moment = now();
        if (epoch == kAnyEpoch)
            let_go(kind, id);
        if (moment.standing() != Standing::here ||
            (epoch != kAnyEpoch && epoch != moment.epoch())) {
            return {};
        }
        Result<void> result = f(*channel_);
        if (channel_->open())
            return result;
        note_lost(moment);
        if (epoch == kAnyEpoch)
            let_go(kind, id);  // of what the next adapter knows without being told
        return {};
    }

    // Within transact(), of what its reply has brought.
    template<typename Held>
    void keep(Held held) {
        if (pulse_.fd() < 0)
            return;
        const std::lock_guard lock(lock_);
        holdings_.keep(std::move(held));
    }
    [[nodiscard]] bool survives() const noexcept { return pulse_.fd() >= 0; }
    // The socket of doorbell `id` shows in the epoll set from now on, which is left while away.
    [[nodiscard]] Result<void> watch(std::uint32_t id, int socket, int set);

private:
    [[nodiscard]] Result<void> enter(std::unique_lock<std::mutex>& calls);
    [[nodiscard]] tl::unexpected<Error> not_here() const;
    void let_go(Kind kind, std::uint32_t id) noexcept;
    void step();
    void put_off(Error why) noexcept;
    void install();
    void end(std::string why) noexcept;
    void turn(Standing standing) noexcept;

    std::atomic<std::uint32_t> word_{0};  // changed under lock_
    std::atomic<bool> closed_{false};
    std::atomic<std::uint32_t> movers_{0};
    EventWaiter& events_;
    const std::string path_;
    std::mutex calls_;
    std::unique_ptr<control::Channel> channel_;  // guarded by calls_
    platform::UniqueFd liveness_;
    platform::UniqueFd back_;  // eventfd

    std::mutex lock_;  // guards what follows
    Identity identity_;
    std::uint64_t patience_ns_ = 0;
    Holdings holdings_;
    std::vector<std::uint32_t> ended_listeners_;  // while away
    Pulse pulse_;                                 // but for its descriptor, which stays
    std::unique_ptr<Resumption> resumption_;
    std::uint64_t give_up_ns_ = 0;  // monotonic, as the next
    std::uint64_t next_attempt_ns_ = 0;
    std::uint64_t delay_ns_ = 0;
    std::string last_failure_;  // of an attempt
    std::string why_gone_;      // not changed once gone
};

}  // namespace causeway::client
