#include "io/messaging/host.hpp"

#include <algorithm>
#include <new>
#include <utility>

#include "client/nap.hpp"
#include "io/messaging/service.hpp"
#include "platform/clock.hpp"

namespace causeway::io::messaging {
namespace {

constexpr int kMostAtOnce = 256;  // completions, before the caller looks at its device

}  // namespace

Host::Host(HostTerms terms) : terms_(std::move(terms)), partition_(terms_.partition) {}

Host::~Host() {
    channel_.reset();
    port_.reset();
    if (partition_ && !terms_.partition)
        partition_->close();
}

void Host::lose(ErrorCode code, std::string why) noexcept {
    trouble_code_ = code;
    trouble_ = std::move(why);
    channel_.reset();
    next_try_ns_ = platform::monotonic_ns() + pause_ns_;
    pause_ns_ = std::min(2 * pause_ns_, kLastPauseNs);
    if (partition_ && partition_->gone() && !terms_.partition) {
        fd_ = -1;
        port_.reset();
        partition_->close();
        partition_.reset();
    }
}

Result<void> Host::try_to_connect() {
    if (!partition_) {
        CW_TRY_ASSIGN(partition_,
                      client::Partition::attach(terms_.socket, terms_.name, terms_.patience_ns));
    }
    if (!port_) {
        CW_TRY_ASSIGN(port_,
                      ipc::inner::Port::open(partition_, terms_.wait, ipc::inner::Doors::none));
        fd_ = port_->fd();
        if (fd_ < 0)
            return fail(static_cast<ErrorCode>(-fd_), "no descriptor to wait on for messages");
    }
    CW_TRY_ASSIGN(channel_, Channel::create(*port_, terms_.channel));
    return channel_->begin(terms_.target);
}

void Host::connect() noexcept {
    try {
        auto tried = try_to_connect();
        if (!tried.has_value())
            lose(tried.error().code, tried.error().text);
        else
            hello_by_ns_ = platform::monotonic_ns() + terms_.channel.hello_ns;
    } catch (const std::bad_alloc&) {
        lose(ErrorCode::no_memory, {});
    }
}

bool Host::step(Handler& handler) noexcept {
    bool any = false;
    if (!channel_ && !over() && platform::monotonic_ns() >= next_try_ns_) {
        any = true;
        connect();
    }
    for (int i = 0; port_ && i < kMostAtOnce; ++i) {
        const cw_completion* const completion = port_->next();
        if (completion == nullptr)
            break;
        any = true;
        if (!channel_ || completion->user != channel_.get())
            continue;  // of one that was let go
        hand_out(*channel_, *completion, handler);
        if (channel_->is_open() && hello_by_ns_ != 0) {
            hello_by_ns_ = 0;
            pause_ns_ = kFirstPauseNs;
            ++connections_;
            trouble_.clear();
            trouble_code_ = ErrorCode::none;
        }
    }
    // What was taken off the queue may still name the channel.
    if (!channel_ || !port_->handed_out())
        return any;
    if (channel_->ended() && channel_->unsent() == 0 && channel_->holds() == 0) {
        any = true;
        lose(channel_->reason(),
             terms_.target + ": " + channel_->why() + " (" + error_name(channel_->reason()) + ")");
    } else if (port_->ended() && !channel_->ended()) {
        any = true;
        channel_->abandon();
        handler.ended(*channel_);
    } else if (hello_by_ns_ != 0 && platform::monotonic_ns() >= hello_by_ns_) {
        any = true;
        lose(ErrorCode::timed_out, terms_.target + " does not answer; trying again");
    }
    return any;
}

void Host::drop(Handler& handler, ErrorCode code, std::string why) noexcept {
    if (!channel_)
        return;
    const bool known = !channel_->ended();
    channel_->abandon();
    if (known)
        handler.ended(*channel_);
    while (!port_->handed_out())
        (void)port_->next();  // what was taken off the queue may still name the channel
    lose(code, std::move(why));
}

// The moment at which something is to be done, whatever comes.
std::uint64_t Host::next_moment(std::uint64_t until_ns) const noexcept {
    if (!channel_)
        return over() ? until_ns : std::min(until_ns, next_try_ns_);
    return hello_by_ns_ != 0 ? std::min(until_ns, hello_by_ns_) : until_ns;
}

void Host::wait(std::uint64_t until_ns) noexcept {
    if (channel_)
        channel_->settle();
    until_ns = next_moment(until_ns);
    if (port_) {
        (void)port_->wait(until_ns);
        return;
    }
    const std::uint64_t now = platform::monotonic_ns();
    if (until_ns > now) {
        const timespec left = client::timespec_of(until_ns - now);
        (void)::nanosleep(&left, nullptr);
    }
}

std::uint64_t Host::settle(std::uint64_t until_ns) noexcept {
    using ipc::inner::Port;
    if (channel_)
        channel_->settle();
    until_ns = next_moment(until_ns);
    if (port_)
        port_->settle(port_->handed_out() ? Port::Worth::nothing : Port::Worth::something,
                      until_ns);
    return until_ns;
}

}  // namespace causeway::io::messaging
