// RefusedClaims: regions that a direct peer named in its receives and that could not be had, so
// that nothing is asked twice, and a peer that makes handles up is noticed. An honest peer names a
// region only while it is registered; one that was closed with receives outstanding is all that can
// go wrong.
//
// Threading: one thread. Ownership: none; times are the caller's, monotonic.
//
// Invariants:
//  1. Within kForgetNs a peer gets at most kMost answers out of its partner that cost a question.
#pragma once

#include <array>
#include <cstdint>

namespace causeway::client {

// Why it could not be had: there is no such region and never will be under this handle, or this
// side was short of something.
enum class Refusal : std::uint8_t { lasting, passing };

class RefusedClaims {
public:
    static constexpr std::uint32_t kMost = 32;
    static constexpr std::uint64_t kForgetNs = 60'000'000'000;
    static constexpr std::uint64_t kRetryNs = 1'000'000'000;  // passing

    // Was it refused, so that asking again would bring nothing new?
    [[nodiscard]] bool holds(std::uint32_t handle, std::uint64_t now_ns) const noexcept {
        for (std::uint32_t i = 0; i < count_; ++i) {
            const Claim& claim = claims_[i];
            if (claim.handle == handle)
                return claim.why == Refusal::lasting || now_ns - claim.asked_ns < kRetryNs;
        }
        return false;
    }
    // False: these are too many, the peer makes them up.
    [[nodiscard]] bool note(std::uint32_t handle, Refusal why, std::uint64_t now_ns) noexcept {
        Claim* place = nullptr;
        for (std::uint32_t i = 0; i < count_; ++i) {
            if (claims_[i].handle == handle)
                place = &claims_[i];
        }
        if (place == nullptr && count_ < kMost)
            place = &claims_[count_++];
        for (std::uint32_t i = 0; place == nullptr && i < kMost; ++i) {
            if (now_ns - claims_[i].asked_ns >= kForgetNs)
                place = &claims_[i];
        }
        if (place == nullptr)
            return false;
        *place = {handle, why, now_ns};
        return true;
    }

private:
    struct Claim {
        std::uint32_t handle = 0;
        Refusal why = Refusal::lasting;
        std::uint64_t asked_ns = 0;
    };
    std::array<Claim, kMost> claims_{};
    std::uint32_t count_ = 0;
};

}  // namespace causeway::client
