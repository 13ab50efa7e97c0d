// How a connecting end meets the other, and how an end leaves without losing what it has sent.
//
// Threading: the port's thread.
#pragma once

#include <cstdint>
#include <string>

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

// Waits until the peer's greeting has come; `take_all` takes what comes. With timeout 0: not at
// all. Errors: timed_out (the link goes on connecting), what ended the link.
template<typename TakeAll>
[[nodiscard]] Result<void> greet_within(Port& port, const Link& link, const std::string& target,
                                        std::uint64_t timeout_ns, TakeAll&& take_all) {
    const std::uint64_t until = moment_in(timeout_ns);
    while (timeout_ns != 0 && !link.greeted()) {
        take_all();
        if (link.ended() || port.ended())
            return failed_to_meet(link, target);
        if (!link.greeted() && port.wait(until) == Port::Woken::timed_out) {
            return fail_format(
                ErrorCode::timed_out, "%s has not answered within %llu ms; connecting goes on",
                target.c_str(), static_cast<unsigned long long>(timeout_ns / 1'000'000));
        }
    }
    return {};
}

}  // namespace causeway::ipc::inner
