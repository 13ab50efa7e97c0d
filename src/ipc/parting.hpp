// How a connecting end meets the other, and how an end leaves without losing what it has sent.
//
// Threading: the port's thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "base/result.hpp"
#include "ipc/link.hpp"
#include "ipc/port.hpp"

namespace causeway::ipc::inner {

// How long a closing end waits until the executor has taken what it has sent; a receiver that is
// alive has a buffer for all of it, so that this takes as long as a copy.
inline constexpr std::uint64_t kPartingNs = 1'000'000'000;

// Waits until `said` says that all farewells have been taken; messages that come are let go.
template<typename Said>
void see_off(Port& port, Said&& said) noexcept {
    const std::uint64_t until = moment_in(kPartingNs);
    while (!said()) {
        (void)port.knocked();  // nobody is let in any more
        if (const cw_completion* c = port.next()) {
            Link& link = *static_cast<Link*>(c->user);
            if (link.take(*c) == Link::Event::message)
                link.release(link.buffer());
            continue;
        }
        if (port.ended() || port.wait(until) == Port::Woken::timed_out)
            return;
    }
}

// Why a link that has not met its peer never will.
[[nodiscard]] Result<void> failed_to_meet(const Link& link, const std::string& target);

// How long whoever connects waits, from now on.
struct Within {
    explicit Within(std::uint64_t timeout_ns) noexcept
        : ms(timeout_ns / 1'000'000), until_ns(timeout_ns == 0 ? 0 : moment_in(timeout_ns)) {}
    std::uint64_t ms;
    std::uint64_t until_ns;  // 0: not at all
};

// Between two attempts to connect to a partition that is on its way back to the adapter.
inline constexpr std::uint64_t kAskAgainNs = 2'000'000;

// Begins to connect. A partition that an adapter which was restarted still expects is waited for;
// `take_all` takes what comes meanwhile. Errors: again (only without a wait) and timed_out where it
// has not come back, what the adapter says.
template<typename TakeAll>
[[nodiscard]] Result<void> begin_within(Port& port, Link& link, const std::string& target,
                                        const Within& within, TakeAll&& take_all) {
    for (;;) {
        auto begun = link.begin(target);
        if (begun.has_value() || begun.error().code != ErrorCode::again || within.until_ns == 0)
            return begun;
        const std::uint64_t now = platform::monotonic_ns();
        if (now >= within.until_ns)
            return fail(ErrorCode::timed_out, std::move(begun).error().text);
        take_all();
        (void)port.wait(std::min(within.until_ns, now + kAskAgainNs));
    }
}

// Waits until the peer's greeting has come; `take_all` takes what comes. Errors: timed_out (the
// link goes on connecting), what ended the link.
template<typename TakeAll>
[[nodiscard]] Result<void> greet_within(Port& port, const Link& link, const std::string& target,
                                        const Within& within, TakeAll&& take_all) {
    while (within.until_ns != 0 && !link.greeted()) {
        take_all();
        if (link.ended() || port.ended())
            return failed_to_meet(link, target);
        if (!link.greeted() && port.wait(within.until_ns) == Port::Woken::timed_out) {
            return fail_format(ErrorCode::timed_out,
                               "%s has not answered within %llu ms; connecting goes on",
                               target.c_str(), static_cast<unsigned long long>(within.ms));
        }
    }
    return {};
}

}  // namespace causeway::ipc::inner
