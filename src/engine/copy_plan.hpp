// CopyPlan: which copy kernel a message takes, as thresholds that belong to a machine.
//
// `causeway calibrate` measures them and writes a file; library and daemon load it when they start.
// The file: one `key = value` per line, each key once, `#` begins a comment line.
//
//     format = 1
//     processor = AMD EPYC, family 25 model 1 stepping 1
//     width = avx
//     large = vector_avx
//     large_from = 4096
//     nontemporal = nontemporal_avx
//     nontemporal_from = 16777216
//     nontemporal_least = 4096
//     slow_below = 14000
//
// Threading: all functions may be called from any thread.
//
// Invariants:
//  1. A plan that came from a file names only kernels that run here.
//  2. A file of another processor is never used: its thresholds would be wrong, its kernels could
//     be missing.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "engine/copy.hpp"

namespace causeway::engine {

inline constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

// Sizes are bytes of a message. The default: the C library's copy for everything.
struct CopyPlan {
    CopyKernel large = CopyKernel::cached;  // through the caches, from large_from on
    CopyKernel nontemporal = CopyKernel::cached;
    // Below this pace, in MB/s, a copy through the caches goes to lines that are far away: in
    // another cache, or in none. 0: nobody looks.
    std::uint32_t slow_below = 0;
    std::uint64_t large_from = kNever;
    std::uint64_t nontemporal_from = kNever;   // this size alone is more than the caches hold
    std::uint64_t nontemporal_least = kNever;  // smaller ones never go around the caches

    // Through the caches.
    [[nodiscard]] CopyKernel cached_kernel(std::uint64_t length) const noexcept {
        return length >= large_from ? large : CopyKernel::cached;
    }
    // Of a message about which nothing but its size is known.
    [[nodiscard]] CopyKernel kernel(std::uint64_t length) const noexcept {
        return length >= nontemporal_from && length >= nontemporal_least ? nontemporal
                                                                         : cached_kernel(length);
    }
    // One line for listings, of at most 127 bytes.
    [[nodiscard]] std::string describe() const;
    [[nodiscard]] bool operator==(const CopyPlan&) const noexcept = default;
};

// Built-in thresholds for the processor this runs on.
[[nodiscard]] CopyPlan default_copy_plan() noexcept;

// What a file says of the machine that it was made on.
struct CopyMachine {
    std::string processor;
    std::string width;  // of the widest kernels: "sse2", "avx", "avx512", or "none"
};
[[nodiscard]] CopyMachine this_copy_machine();

// A file's text; what it says of the machine is not looked at, but filled in.
[[nodiscard]] Result<CopyPlan> parse_copy_plan(std::string_view text, CopyMachine& made_on);
[[nodiscard]] std::string format_copy_plan(const CopyPlan& plan, const CopyMachine& made_on,
                                           std::string_view comment);

// The plan that is in use, and why that one.
struct LoadedCopies {
    enum class State { built_in, from_file, other_machine, broken };
    CopyPlan plan{};
    State state = State::built_in;
    std::string source;   // "built in", or the file
    std::string problem;  // other_machine, broken: why the file that is there is not used
};
[[nodiscard]] LoadedCopies built_in_copies();
// The file at `path`.
[[nodiscard]] LoadedCopies load_copies(const std::string& path);
// The first of $CAUSEWAY_COPIES ("built-in": no file), $XDG_CONFIG_HOME/causeway/copies
// (~/.config/causeway/copies) and /etc/causeway/copies that is there. A file that cannot be used is
// not passed over: built-in thresholds are used then.
[[nodiscard]] LoadedCopies find_copies();

inline constexpr char kSystemCopies[] = "/etc/causeway/copies";
// Where this user's own file belongs; empty where that is not known.
[[nodiscard]] std::string user_copies_path();

}  // namespace causeway::engine
