// Acts: the one thing that a partition does between two marks while it is killed, and everything
// that it needs to have done before. Its peer is a Survivor (support/survivor.hpp).
//
// Threading: one thread, in a process of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <ostream>
#include <span>
#include <string>

#include "support/killer.hpp"

namespace causeway::test {

enum class Act : std::uint32_t {
    // of a connected queue pair
    send_small,
    send_large,
    send_gather,
    send_again,  // as send_large, but the peer's memory is known already
    receive,
    write_immediate,
    read,
    append,
    deregister,
    disconnect,
    // the way there
    attach,
    allocate,
    create_queue_pair,
    connect,
    accept,
};
inline constexpr Act kTransfers[] = {Act::send_small, Act::send_large, Act::send_gather,
                                     Act::send_again, Act::receive,    Act::write_immediate,
                                     Act::read,       Act::append};
inline constexpr Act kControls[] = {Act::deregister,        Act::disconnect, Act::allocate,
                                    Act::create_queue_pair, Act::connect,    Act::accept};
[[nodiscard]] const char* name_of(Act act);
inline void PrintTo(Act act, std::ostream* out) { *out << name_of(act); }
// Is it done on a connected queue pair?
[[nodiscard]] constexpr bool is_connected(Act act) noexcept { return act <= Act::disconnect; }

// What victim `number` writes at `offset` of a message; the survivor's are numbered from kOwn on.
[[nodiscard]] constexpr std::uint8_t byte_of(std::uint64_t number, std::size_t offset) noexcept {
    std::uint64_t mixed = number * 0x9e3779b97f4a7c15U + offset * 0xff51afd7ed558ccdU;
    mixed = (mixed ^ mixed >> 29) * 0xbf58476d1ce4e5b9U;  // all of the number in each byte
    return static_cast<std::uint8_t>((mixed >> 32) | 1);  // never a guard byte, which is even
}
void fill_message(std::span<std::byte> bytes, std::uint64_t number);
[[nodiscard]] bool is_message(std::span<const std::byte> bytes, std::uint64_t number);
inline constexpr std::uint64_t kOwn = std::uint64_t{1} << 40;

inline constexpr std::uint32_t kSmall = 24;
inline constexpr std::uint32_t kLarge = 4000;   // some hundred instructions of the copy
inline constexpr std::uint32_t kRecord = 1000;  // bytes that one Append adds
inline constexpr std::uint32_t kImmediate = 0x1337;

// The life of a victim at the adapter's `socket`.
void perform(const std::string& socket, const char* executor, const Killer::Order& order,
             const std::function<void()>& mark);

}  // namespace causeway::test
