#include "engine/copy_plan.hpp"

namespace causeway::engine {
namespace {

// Multiples of 1 MiB and 1 KiB as such: listings are short of room.
[[nodiscard]] std::string size_text(std::uint64_t bytes) {
    if (bytes % (1U << 20) == 0 && bytes != 0)
        return std::to_string(bytes >> 20) + " MiB";
    if (bytes % (1U << 10) == 0 && bytes != 0)
        return std::to_string(bytes >> 10) + " KiB";
    return std::to_string(bytes) + " B";
}

}  // namespace

std::string CopyPlan::describe() const {
    std::string text = name(CopyKernel::cached);
    if (large_from != kNever && large != CopyKernel::cached)
        text += std::string(", ") + name(large) + " from " + size_text(large_from);
    if (nontemporal == CopyKernel::cached || nontemporal_least == kNever)
        return text;
    if (nontemporal_from == kNever && slow_below == 0)
        return text;
    text += std::string(", ") + name(nontemporal);
    if (nontemporal_from != kNever)
        text += " from " + size_text(nontemporal_from);
    if (slow_below != 0) {
        text += nontemporal_from != kNever ? " or " : " ";
        text += "from " + size_text(nontemporal_least) + " if under " + std::to_string(slow_below) +
                " MB/s";
    }
    return text;
}

CopyPlan default_copy_plan() noexcept {
    CopyPlan plan;
    if (runs_here(CopyKernel::vector_avx)) {
        plan.large = CopyKernel::vector_avx;
        plan.large_from = 4096;
    }
    if (runs_here(CopyKernel::nontemporal_sse2)) {
        plan.nontemporal = runs_here(CopyKernel::nontemporal_avx) ? CopyKernel::nontemporal_avx
                                                                  : CopyKernel::nontemporal_sse2;
        plan.nontemporal_from = std::uint64_t{8} << 20;
        plan.nontemporal_least = 4096;
        plan.slow_below = 12'000;
    }
    return plan;
}

}  // namespace causeway::engine
