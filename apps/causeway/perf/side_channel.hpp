// SideChannel: small structures between two processes of a measurement, outside the timed part.
//
// Threading: one thread at each end. Ownership: owns its end of a socket pair.
//
// Invariants:
//  1. A structure arrives whole; one of another size than expected is an error.
//  2. Waiting sleeps, so that it takes no core from those who are measured.
#pragma once

#include <cstring>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>

#include "base/result.hpp"
#include "platform/clock.hpp"
#include "platform/fd.hpp"
#include "platform/socket.hpp"

namespace causeway::perf {

class SideChannel {
public:
    SideChannel() = default;
    explicit SideChannel(platform::UniqueFd fd) : fd_(std::move(fd)) {}

    [[nodiscard]] static Result<std::pair<SideChannel, SideChannel>> make_pair() {
        CW_TRY_ASSIGN(auto ends, platform::make_socket_pair());
        return std::pair(SideChannel(std::move(ends.first)), SideChannel(std::move(ends.second)));
    }

    template<typename T>
    [[nodiscard]] Result<void> put(const T& value) {
        static_assert(std::is_trivially_copyable_v<T>);
        return platform::send_message(fd_.get(), std::as_bytes(std::span(&value, 1)), -1,
                                      platform::Blocking::yes);
    }
    template<typename T>
    [[nodiscard]] Result<T> get(std::optional<std::uint64_t> deadline_ns = std::nullopt) {
        static_assert(std::is_trivially_copyable_v<T>);
        T value{};
        CW_TRY_ASSIGN(
            const auto received,
            platform::receive_message(fd_.get(), std::as_writable_bytes(std::span(&value, 1)),
                                      platform::Blocking::yes, deadline_ns));
        if (received.size != sizeof value || received.truncated)
            return fail_format(ErrorCode::protocol,
                               "the two processes of the measurement lost step: %zu bytes came "
                               "where %zu were expected",
                               received.size, sizeof value);
        return value;
    }
    // Returns at both ends when both have called it.
    [[nodiscard]] Result<void> meet() {
        CW_TRY(put('m'));
        CW_TRY(get<char>());
        return {};
    }

    [[nodiscard]] int fd() const noexcept { return fd_.get(); }
    void close() noexcept { fd_.reset(); }

private:
    platform::UniqueFd fd_;
};

}  // namespace causeway::perf
