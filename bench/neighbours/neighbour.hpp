// A neighbour of the measured pair: one process that does its worst on the fabric, or, as the
// measure for that, burns the same processor time without touching it.
//
// Threading: run_neighbour() and burn() are the whole life of a forked child.
#pragma once

#include <array>
#include <string>
#include <string_view>

namespace causeway::bench {

enum class Manner {
    writes,       // 64 connections, each with as many 64 KiB Writes as its queue holds
    registers,    // registers and deregisters 16 MiB without end
    floods,       // requests that it never reads the answers of; a new connection when shown out
    never_takes,  // sends to itself and takes no completion, over 64 connections
    punches,  // punches holes into memory that is being written to; attaches anew when shown out
};
inline constexpr std::array kManners = {Manner::writes, Manner::registers, Manner::floods,
                                        Manner::never_takes, Manner::punches};

[[nodiscard]] std::string_view manner_name(Manner manner) noexcept;

[[noreturn]] void run_neighbour(Manner manner, const std::string& socket);

// Computes, off the fabric: takes that share of a processor's time, if it is given as much.
[[noreturn]] void burn(double share);

}  // namespace causeway::bench
