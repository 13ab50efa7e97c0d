#include "client/attachment.hpp"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "client/nap.hpp"
#include "client/quietly.hpp"
#include "platform/clock.hpp"

namespace causeway::client {
namespace {

constexpr std::uint64_t kFirstDelayNs = 5'000'000;
constexpr std::uint64_t kLongestDelayNs = 250'000'000;
constexpr std::uint64_t kLockedOutNs = 1'000'000;

// Of moments; "for ever" stays that.
[[nodiscard]] constexpr std::uint64_t later(std::uint64_t moment, std::uint64_t by) noexcept {
    return by > UINT64_MAX - moment ? UINT64_MAX : moment + by;
}

}  // namespace

Attachment::Attachment(control::Channel channel, std::string path, EventWaiter& events)
    : events_(events),
      path_(std::move(path)),
      channel_(std::make_unique<control::Channel>(std::move(channel))) {}

Attachment::~Attachment() = default;

Result<void> Attachment::open() {
    liveness_.reset(::fcntl(channel_->fd(), F_DUPFD_CLOEXEC, 0));
    if (!liveness_)
        return fail_errno("duplicate the control connection", errno);
    return {};
}

Result<void> Attachment::survive(Identity identity, std::uint64_t patience_ns) {
    const std::lock_guard lock(lock_);
    identity_ = std::move(identity);
    patience_ns_ = patience_ns;
    back_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!back_)
        return fail_errno("eventfd for a partition", errno);
    return pulse_.open();
}

void Attachment::abandon() noexcept {
    (void)channel_.release();     // NOLINT: given up, closing would be by number
    (void)resumption_.release();  // NOLINT: the same
    (void)liveness_.release();
    (void)back_.release();
    pulse_.abandon();
    holdings_.abandon();
}

Result<void> Attachment::usable(const std::string& partition) const {
    if (closed())
        return fail(ErrorCode::wrong_state, "the partition " + partition + " is closed");
    if (standing() != Standing::gone)
        return {};
    std::string text = "the adapter at " + path_ + " has ended the connection";
    text += why_gone_.empty() ? "; its log says why" : ", and there is no way back: " + why_gone_;
    return fail(ErrorCode::adapter_gone, text + "; close the partition and attach anew");
}

tl::unexpected<Error> Attachment::not_here() const {
    if (auto at_all = usable({}); !at_all.has_value())
        return tl::unexpected<Error>(std::move(at_all).error());
    return fail(ErrorCode::again, "the adapter at " + path_ +
                                      " is away: it has ended, and the "
                                      "partition waits for the next one");
}

// Leaves with calls_ held, and here.
Result<void> Attachment::enter(std::unique_lock<std::mutex>& calls) {
    for (;;) {
        switch (standing()) {
            case Standing::here:
                calls.lock();
                if (standing() == Standing::here)
                    return {};
                calls.unlock();
                break;
            case Standing::away:
                drive();
                if (standing() == Standing::away)
                    nap({}, kNapNs);
                break;
            case Standing::gone:
                return not_here();
        }
    }
}

void Attachment::nap(std::span<const int> also, std::uint64_t limit_ns) const noexcept {
    std::array<int, 16> files{};
    std::size_t count = 0;
    files[count++] = pulse_.fd();
    files[count++] = back_.get();
    for (const int file : also) {
        if (count < files.size())
            files[count++] = file;
    }
    (void)nap_on(std::span(files).first(count), -1, std::min(limit_ns, kNapNs));
}

void Attachment::turn(Standing standing) noexcept {
    const std::uint32_t epoch = now().epoch() + (standing == Standing::here ? 1 : 0);
    word_.store(Moment(standing, epoch).word(), std::memory_order_release);  // SYNC(standing)
}

void Attachment::note_lost(Moment seen) noexcept {
    const std::lock_guard lock(lock_);
    if (seen.standing() != Standing::here || now() != seen)
        return;
    if (!survives()) {
        end({});
        return;
    }
    const std::uint64_t moment = platform::monotonic_ns();
    give_up_ns_ = later(moment, patience_ns_);
    delay_ns_ = kFirstDelayNs;
    next_attempt_ns_ = later(moment, delay_ns_);
    last_failure_.clear();
    holdings_.leave_sets();
    eventfd_t count = 0;
    (void)::eventfd_read(back_.get(), &count);
    turn(Standing::away);
    pulse_.at(std::min(next_attempt_ns_, give_up_ns_));
    // The connection may still be open (a reply that broke the protocol): end it for both sides,
    // and for the threads that sleep on it.
    (void)::shutdown(liveness_.get(), SHUT_RDWR);
    events_.poke();
}

void Attachment::close() noexcept {
    closed_.store(true, std::memory_order_release);
    const std::lock_guard lock(lock_);
    // Not the descriptors: threads that still use an object of the partition may be polling them.
    end({});
}

// With lock_ held.
void Attachment::end(std::string why) noexcept {
    if (standing() == Standing::gone)
        return;
    holdings_.leave_sets();
    holdings_.drop_fresh();
    if (resumption_) {
        pulse_.unwatch(resumption_->fd());
        resumption_.reset();
    }
    why_gone_ = std::move(why);
    turn(Standing::gone);
    (void)::shutdown(liveness_.get(), SHUT_RDWR);  // as in note_lost()
    pulse_.at(0);
    events_.stop();
}

void Attachment::drive() noexcept {
    if (standing() != Standing::away)
        return;
    const std::unique_lock lock(lock_, std::try_to_lock);
    if (!lock.owns_lock() || standing() != Standing::away)
        return;
    quietly([this] { step(); });
}

void Attachment::step() {
    const std::uint64_t moment = platform::monotonic_ns();
    if (moment >= give_up_ns_) {
        end(format_text("no adapter took it back within %llu ms",
                        static_cast<unsigned long long>(patience_ns_ / 1'000'000)) +
            (last_failure_.empty() ? "" : " (" + last_failure_ + ")"));
        return;
    }
    if (moment < next_attempt_ns_) {
        pulse_.at(std::min(next_attempt_ns_, give_up_ns_));
        return;
    }
    if (!resumption_) {
        const std::unique_lock calls(calls_, std::try_to_lock);  // invariant 2
        if (!calls.owns_lock()) {
            next_attempt_ns_ = moment + kLockedOutNs;
            pulse_.at(next_attempt_ns_);
            return;
        }
        auto channel = control::Channel::connect(path_, platform::Blocking::no);
        if (!channel.has_value()) {
            put_off(std::move(channel).error());
            return;
        }
        resumption_ = std::make_unique<Resumption>(std::move(*channel), identity_, holdings_,
                                                   ended_listeners_);
        if (auto watched = pulse_.watch(resumption_->fd()); !watched.has_value()) {
            put_off(std::move(watched).error());
            return;
        }
    }
    switch (resumption_->step()) {
        case Resumption::Outcome::working:
            pulse_.at(give_up_ns_);
            break;
        case Resumption::Outcome::resumed:
            install();
            break;
        case Resumption::Outcome::again:
            put_off(resumption_->why());
            break;
        case Resumption::Outcome::refused:
            end(resumption_->why().text);
            break;
    }
}

// This attempt has failed, another one may not.
void Attachment::put_off(Error why) noexcept {
    if (resumption_ && !resumption_->attached()) {
        pulse_.unwatch(resumption_->fd());
        resumption_.reset();
        holdings_.drop_fresh();
    }
    last_failure_ = std::move(why.text);
    next_attempt_ns_ = later(platform::monotonic_ns(), delay_ns_);
    delay_ns_ = std::min(2 * delay_ns_, kLongestDelayNs);
    pulse_.at(std::min(next_attempt_ns_, give_up_ns_));
}

// Everything is handed over: the new connection takes the place of the old one.
void Attachment::install() {
    const std::unique_lock calls(calls_, std::try_to_lock);
    if (!calls.owns_lock()) {
        next_attempt_ns_ = platform::monotonic_ns() + kLockedOutNs;
        pulse_.at(next_attempt_ns_);
        return;
    }
    auto renewed = holdings_.renew_sockets();
    if (renewed.has_value())
        renewed = replace_file(resumption_->fd(), liveness_.get());
    if (!renewed.has_value()) {
        holdings_.leave_sets();
        put_off(std::move(renewed).error());
        return;
    }
    pulse_.unwatch(resumption_->fd());
    movers_.store(resumption_->terms().movers, std::memory_order_relaxed);
    *channel_ = resumption_->take_channel();
    resumption_.reset();
    ended_listeners_.clear();
    turn(Standing::here);
    pulse_.off();
    (void)::eventfd_write(back_.get(), 1);
    events_.poke();
}

// With calls_ held.
void Attachment::let_go(Kind kind, std::uint32_t id) noexcept {
    const std::lock_guard lock(lock_);
    const HeldRegion* const region = kind == Kind::region ? holdings_.region(id) : nullptr;
    const std::uint32_t generation = region != nullptr ? region->generation : 0;
    holdings_.drop(kind, id);
    if (standing() != Standing::away)
        return;
    quietly([&] {
        if (kind == Kind::listener)
            ended_listeners_.push_back(id);
        if (resumption_ && (kind == Kind::listener || resumption_->knows(kind, id)))
            resumption_->end(kind, id, generation);
    });
}

Result<void> Attachment::watch(std::uint32_t id, int socket, int set) {
    const std::lock_guard lock(lock_);
    if (survives())
        return holdings_.watch(id, set, standing() == Standing::here);
    return add_to_set(set, socket);
}

}  // namespace causeway::client
