// Copy kernels, and which one moves a message of a given size.
//
// A line that is dirty in the writer's private cache is the slowest place for a reader to take it
// from, so beyond some size it pays to store around the cache; where, depends on the machine.
// docs/adr/0004-copy-kernels.md records the measurements behind the defaults.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace causeway::engine {

enum class CopyKernel { cached, rep_movsb, nontemporal };

// From which message size, in bytes, each kernel is used; the largest that applies wins.
struct CopyPlan {
    std::uint64_t rep_movsb_from;
    std::uint64_t nontemporal_from;

    [[nodiscard]] CopyKernel kernel(std::uint64_t length) const noexcept {
        if (length >= nontemporal_from)
            return CopyKernel::nontemporal;
        if (length >= rep_movsb_from)
            return CopyKernel::rep_movsb;
        return CopyKernel::cached;
    }
    // One line for listings.
    [[nodiscard]] std::string describe() const;
};

// Built-in thresholds for the processor this runs on.
[[nodiscard]] CopyPlan default_copy_plan() noexcept;

// Copies `length` bytes. What was stored is visible to whoever acquires a later release, whichever
// kernel it was. Areas that overlap (a partition that is its own peer) give unspecified bytes in
// the target and touch nothing else.
void copy(std::byte* to, const std::byte* from, std::size_t length, CopyKernel kernel) noexcept;

// After a copy that was left in the middle by a fault: orders what it has stored before any later
// release, as copy() does at its end.
void settle_stores() noexcept;

}  // namespace causeway::engine
