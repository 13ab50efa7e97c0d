#include "demo/role.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cstring>

namespace causeway::demo {
namespace {

[[nodiscard]] constexpr std::uint64_t mix(std::uint64_t x) noexcept {  // splitmix64
    x += 0x9e3779b97f4a7c15;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
}

}  // namespace

Result<int> play_role(const std::string& role) {
    if (role == "nothing")
        return 0;
    if (role == "look")
        return play_look();
    if (role == "owner")
        return play_owner();
    if (role == "neighbour")
        return play_neighbour();
    if (role == "stranger")
        return play_stranger();
    return fail(ErrorCode::invalid_argument, fmt::format("there is no role '{}'", role));
}

void fill_noise(std::span<std::byte> data, std::uint64_t seed) noexcept {
    for (std::size_t i = 0; i + 8 <= data.size(); i += 8) {
        const std::uint64_t word = mix(mix(seed) + i);
        std::memcpy(data.data() + i, &word, sizeof word);
    }
}

bool is_noise(std::span<const std::byte> data, std::uint64_t seed) noexcept {
    std::uint64_t wrong = 0;
    for (std::size_t i = 0; i + 8 <= data.size(); i += 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, data.data() + i, sizeof word);
        wrong |= word ^ mix(mix(seed) + i);
    }
    return wrong == 0;
}

std::uint64_t fingerprint(std::span<const std::byte> data) noexcept {
    std::uint64_t sum = data.size();
    for (std::size_t i = 0; i + 8 <= data.size(); i += 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, data.data() + i, sizeof word);
        sum = mix(sum ^ word);
    }
    return sum;
}

Questions::State Questions::next(std::string& line, int limit_ms) {
    for (;;) {
        if (const auto end = pending_.find('\n'); end != std::string::npos) {
            line = pending_.substr(0, end);
            pending_.erase(0, end + 1);
            return State::one;
        }
        pollfd wanted{STDIN_FILENO, POLLIN, 0};
        if (::poll(&wanted, 1, limit_ms) <= 0)
            return State::none;
        std::array<char, 256> buffer{};
        const ssize_t got = ::read(STDIN_FILENO, buffer.data(), buffer.size());
        if (got <= 0)
            return State::ended;
        pending_.append(buffer.data(), static_cast<std::size_t>(got));
    }
}

void answer(const cli::json& json) {
    fmt::print("{}\n", json.dump(-1, ' ', false, cli::json::error_handler_t::replace));
    std::fflush(stdout);
}

}  // namespace causeway::demo
