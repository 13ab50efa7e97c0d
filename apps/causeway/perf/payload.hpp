// What is sent, and how the receiver looks at it.
//
// Threading: all functions are pure but for the memory given to them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "perf/plan.hpp"

namespace causeway::perf {

// Reads every byte: the wrapping sum of the 8-byte words, the rest as one shorter word. With AVX2
// where the processor has it: limited by memory, not by the loop.
[[nodiscard]] std::uint64_t read_all(std::span<const std::byte> data) noexcept;

// Fills `data` with noise that `seed` and `slot` determine, different in every word.
void fill_noise(std::span<std::byte> data, std::uint64_t seed, std::uint32_t slot) noexcept;

// Looks at the messages of one round, in order, as Mode says.
//
// The sender sends its buffers in turn, each with its own noise; so the sum over any number of
// messages is known, and lost, stale or torn data changes it.
class Inspector {
public:
    enum class Mode {
        none,    // not at all
        read,    // read_all, inside the timed part; compared by check()
        verify,  // every byte compared; before that, one lap of the buffers is overwritten
    };
    enum class Buffers { own, foreign };  // foreign ones are not overwritten

    // The peer's noise for messages of `size` bytes in `buffers` buffers.
    Inspector(std::uint64_t size, std::uint32_t buffers, Buffers whose = Buffers::own)
        : expected_(size), sums_(buffers), whose_(whose) {}

    // Before a round: what the peer will send in it. Takes a while.
    void begin(Mode mode, std::uint64_t seed);

    void look(std::span<std::byte> message) noexcept {
        if (mode_ == Mode::read)
            sum_ += message.size() <= kShort ? read_short(message) : read_all(message);
        else if (mode_ == Mode::verify)
            verify(message);
        ++messages_;
    }

    // After a round: were all `look`ed at as they should be?
    [[nodiscard]] bool check() const noexcept;

    // Messages that a round of Mode::verify needs for every buffer to be compared.
    [[nodiscard]] std::uint64_t verify_messages() const noexcept { return 2 * sums_.size(); }

private:
    static constexpr std::size_t kShort = 64;  // bytes that need no wide registers

    // As read_all.
    [[nodiscard]] static std::uint64_t read_short(std::span<const std::byte> data) noexcept {
        const std::byte* at = data.data();
        std::size_t size = data.size();
        std::uint64_t sum = 0;
        std::uint64_t word = 0;
        for (; size >= sizeof word; size -= sizeof word, at += sizeof word) {
            std::memcpy(&word, at, sizeof word);
            sum += word;
        }
        if (size > 0) {
            word = 0;
            std::memcpy(&word, at, size);
            sum += word;
        }
        return sum;
    }
    void verify(std::span<std::byte> message) noexcept;

    std::vector<std::byte> expected_;     // scratch
    std::vector<std::uint64_t> sums_;     // of each of the peer's buffers,
    std::uint64_t sums_of_ = UINT64_MAX;  // filled with this seed
    Buffers whose_;
    Mode mode_ = Mode::none;
    std::uint64_t seed_ = 0;
    std::uint64_t sum_ = 0;
    std::uint64_t messages_ = 0;
    bool wrong_ = false;
};

// Each role's noise differs from the other's.
[[nodiscard]] constexpr std::uint64_t seed_of(Role role, std::uint64_t round) noexcept {
    return 2 * round + (role == Role::initiator ? 0 : 1);
}

}  // namespace causeway::perf
