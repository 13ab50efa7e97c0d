// Roles: what the demo's partitions do. Each runs in a process (and sandbox) of its own, reads
// questions from standard input, a line each, and answers each with one line of JSON.
//
// Threading: one thread. Ownership: everything ends with the process.
#pragma once

#include <causeway/causeway.hpp>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/result.hpp"
#include "json.hpp"

namespace causeway::demo {

// `role`: nothing, look, owner, neighbour, stranger. The exit status.
[[nodiscard]] Result<int> play_role(const std::string& role);

[[nodiscard]] Result<int> play_look();       // role_look.cpp: what can be seen from in here
[[nodiscard]] Result<int> play_owner();      // role_owner.cpp: has regions, serves both others
[[nodiscard]] Result<int> play_neighbour();  // role_neighbour.cpp: exchanges checked data with it
[[nodiscard]] Result<int> play_stranger();   // role_stranger.cpp: tries what it may not

// The services of the owner, and who may come to the first.
inline constexpr char kStream[] = "stream";
inline constexpr char kBoard[] = "board";
inline constexpr char kOwner[] = "orders";
inline constexpr char kNeighbour[] = "billing";
inline constexpr char kStranger[] = "stranger";

inline constexpr std::uint32_t kMessage = 64 << 10;  // bytes, each way, of the stream
inline constexpr std::uint32_t kVault = 1 << 20;     // bytes of the region that is under attack
inline constexpr std::uint32_t kNotice = 64 << 10;   // bytes of the others

// What the owner tells whoever connects: plain bytes of a message.
struct Invitation {
    Remote vault;    // may be read and written, by whom the owner tells its generation; 0 otherwise
    Remote notice;   // may be read
    Remote retired;  // may be read and written, until it is deregistered
};

// Noise that `seed` determines, and its check.
void fill_noise(std::span<std::byte> data, std::uint64_t seed) noexcept;
[[nodiscard]] bool is_noise(std::span<const std::byte> data, std::uint64_t seed) noexcept;
// Of the whole memory, for "has it changed?".
[[nodiscard]] std::uint64_t fingerprint(std::span<const std::byte> data) noexcept;

// What the owner's vault holds.
inline constexpr std::uint64_t kVaultSeed = 0x7661756c74;
// Message n of the stream; the answer to it.
[[nodiscard]] constexpr std::uint64_t question_seed(std::uint64_t n) noexcept { return 2 * n; }
[[nodiscard]] constexpr std::uint64_t answer_seed(std::uint64_t n) noexcept { return 2 * n + 1; }

// The questions on standard input.
class Questions {
public:
    enum class State { none, one, ended };
    // Waits at most `limit_ms` for the next line.
    [[nodiscard]] State next(std::string& line, int limit_ms);

private:
    std::string pending_;
};
void answer(const cli::json& json);

}  // namespace causeway::demo
