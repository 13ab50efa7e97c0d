#include "backend.hpp"

#include <unistd.h>

#include <cerrno>
#include <thread>
#include <utility>

#include "nbdkit.hpp"

namespace causeway::nbd {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto kPause = 100ms;  // between two attempts
constexpr auto kHandOver = 5s;  // within which a predecessor's name and place are free
constexpr auto kOpen = 5s;      // for the unit to open the disk

// Does it go away when a predecessor has ended?
[[nodiscard]] bool is_taken(ErrorCode code) noexcept {
    return code == ErrorCode::name_in_use || code == ErrorCode::limit_reached;
}

// At a named entrance the partition has its name from there, and says none.
[[nodiscard]] Result<Partition> attach(const Settings& settings) {
    AttachOptions options;
    options.socket = settings.socket;
    if (settings.attach_given)
        return Partition::attach(settings.attach, options);
    auto named = Partition::attach({}, options);
    if (named || (named.error().code != ErrorCode::invalid_argument &&
                  named.error().code != ErrorCode::denied))
        return named;
    return Partition::attach("nbd-" + std::to_string(::getpid()), options);
}

[[nodiscard]] Clock::time_point moment_in(std::chrono::nanoseconds time) noexcept {
    const auto now = Clock::now();
    return time > Clock::time_point::max() - now ? Clock::time_point::max() : now + time;
}

}  // namespace

Result<std::shared_ptr<Backend::Session>> Backend::make() const {
    auto partition = attach(settings_);
    if (!partition)
        return tl::unexpected(partition.error());
    auto session = std::make_shared<Session>();
    session->partition = std::move(*partition);
    block::Options options;
    options.access = settings_.access;
    options.depth = settings_.depth;
    options.timeout = settings_.timeout;
    options.executor = settings_.executor.c_str();
    auto disk = block::Disk::open(session->partition, settings_.unit, options, kOpen);
    if (!disk)
        return tl::unexpected(disk.error());
    session->info = disk->info();
    session->lane = std::make_unique<Lane>(std::move(*disk), still_wanted_);
    return session;
}

Result<void> Backend::open(Try how) {
    const auto until = Clock::now() + kHandOver;
    for (;;) {
        auto session = make();
        if (session) {
            const std::lock_guard lock(mutex_);
            session_ = std::move(*session);
            info_ = session_->info;
            return {};
        }
        if (how == Try::once || !is_taken(session.error().code) || Clock::now() >= until)
            return tl::unexpected(session.error());
        std::this_thread::sleep_for(kPause);
    }
}

cw_disk_info Backend::info() const {
    const std::lock_guard lock(mutex_);
    return info_;
}

std::shared_ptr<Backend::Session> Backend::current() const {
    const std::lock_guard lock(mutex_);
    return session_;
}

void Backend::retire(const std::shared_ptr<Session>& session) {
    const std::lock_guard lock(mutex_);
    if (session_ == session)
        session_.reset();
}

// The session; made anew where there is none. Null: not until then, or nobody wants it any more.
std::shared_ptr<Backend::Session> Backend::renewed(Clock::time_point until) {
    const std::lock_guard lock(making_);
    for (;;) {
        if (auto session = current())
            return session;
        auto made = make();
        if (made) {
            const std::lock_guard guard(mutex_);
            session_ = std::move(*made);
            info_ = session_->info;
            return session_;
        }
        nbdkit_debug("%s: %s; trying again", settings_.unit.c_str(), made.error().text.c_str());
        if (Clock::now() >= until || !still_wanted_())
            return nullptr;
        std::this_thread::sleep_for(kPause);
    }
}

Ended Backend::call(const cw_disk_request& request) {
    Clock::time_point until{};
    for (;;) {
        auto session = current();
        if (!session) {
            if (until == Clock::time_point{})
                until = moment_in(settings_.timeout);
            session = renewed(until);
        }
        if (!session)
            return {ETIMEDOUT, 0};
        const Ended ended = session->lane->call(request);
        if (ended.error != ESHUTDOWN)
            return ended;
        retire(session);
        if (!still_wanted_())
            return ended;
    }
}

}  // namespace causeway::nbd
