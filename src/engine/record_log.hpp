// Writing to a log of records (abi/append_log.hpp): reserve, then commit or close.
//
// Threading: any number of writers, in any processes. Ownership: borrows the memory.
//
// Invariants:
//  1. Nothing outside [base, base + length) is touched, whatever stands in the headers.
//  2. One reserve() follows kMostSteps headers at most, again for each of kMostClaims; it goes on
//     where the hint stands.
#pragma once

#include <atomic>
#include <causeway/abi/append_log.hpp>
#include <cstddef>
#include <cstdint>

namespace causeway::engine {

class RecordLog {
public:
    static constexpr std::uint32_t kMostSteps = 4096;
    static constexpr std::uint32_t kMostClaims = 16;  // at which others were faster

    enum class Reserved {
        done,
        full,  // does not fit behind what is there, or a header leads out of the region
        more,  // not at the end of the log yet: call again
    };

    // `hint`: an offset at which a record begins, or 0; moved on towards the end of the log.
    RecordLog(std::byte* base, std::uint64_t length, std::atomic<std::uint64_t>& hint) noexcept
        : base_(base), length_(length), hint_(hint) {}

    // Reserves room for `bytes`; `at` becomes the offset of the record, of which `before` hears
    // first.
    template<typename F>
    [[nodiscard]] Reserved reserve(std::uint32_t bytes, std::uint32_t writer, std::uint64_t& at,
                                   F&& before) noexcept {
        for (std::uint32_t tried = 0; tried < kMostClaims; ++tried) {
            if (const Reserved found = look(bytes, at); found != Reserved::done)
                return found;
            before();
            if (claim(at, bytes, writer))
                return Reserved::done;
        }
        return Reserved::more;
    }
    [[nodiscard]] Reserved reserve(std::uint32_t bytes, std::uint32_t writer,
                                   std::uint64_t& at) noexcept {
        return reserve(bytes, writer, at, [] {});
    }
    // Is the record at `at` of `writer` and that long, reserved by now or ended? Then the hint
    // stands behind it.
    [[nodiscard]] bool recognize(std::uint64_t at, std::uint32_t bytes,
                                 std::uint32_t writer) noexcept;
    // Ends the record at `at` as committed or closed; false: somebody else has closed it.
    [[nodiscard]] bool end(std::uint64_t at, std::uint32_t bytes, std::uint32_t writer,
                           abi::RecordState state) noexcept;

private:
    // A free header behind which a record of `bytes` fits.
    [[nodiscard]] Reserved look(std::uint32_t bytes, std::uint64_t& at) noexcept;
    // False: it is not free any more.
    [[nodiscard]] bool claim(std::uint64_t at, std::uint32_t bytes, std::uint32_t writer) noexcept;
    [[nodiscard]] std::uint64_t* header(std::uint64_t at) const noexcept {
        return reinterpret_cast<std::uint64_t*>(base_ + at);
    }

    std::byte* base_;
    std::uint64_t length_;
    std::atomic<std::uint64_t>& hint_;
};

}  // namespace causeway::engine
